"""The parts of one app, created once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relayline.api.commands.decisions import Decisions
from relayline.api.commands.outcomes import Outcomes
from relayline.api.commands.sending import CommandSender
from relayline.api.runs.inbox import Inbox
from relayline.api.runs.listing import Listing
from relayline.api.runs.submission import Submission
from relayline.api.serving.metrics import Metrics
from relayline.api.serving.readiness import Readiness
from relayline.api.streams.events import RunEvents
from relayline.api.streams.feed import Feed
from relayline.api.streams.live.live import Live
from relayline.api.streams.long_poll import RunPoll
from relayline.api.streams.progress import ProgressFeed
from relayline.api.streams.sse import Streams
from relayline.api.temporal.attention import Attention
from relayline.api.temporal.namespace import NamespaceCheck
from relayline.contracts.runs import AgentSpec


@dataclass(frozen=True)
class Services:
    """Created by `app`; `depends` gives each route the parts that it uses."""

    agents: Mapping[str, AgentSpec]
    metrics: Metrics
    namespace: NamespaceCheck
    readiness: Readiness
    submission: Submission
    listing: Listing
    inbox: Inbox
    attention: Attention
    live: Live
    runs: RunPoll
    streams: Streams
    feed: Feed
    events: RunEvents
    progress: ProgressFeed
    commands: CommandSender
    decisions: Decisions
    outcomes: Outcomes

    async def close_streams(self) -> None:
        """End every open stream and long poll; a stopping server does this first."""
        closed = self.streams.close()
        self.feed.wake_all()
        await closed

    async def close(self) -> None:
        """Stop every task of this app."""
        await self.attention.close()
        await self.live.close()
        await self.progress.close()
        await self.feed.close()
