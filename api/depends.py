"""What the routes work with: made once per app, found through the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Request
from pydantic import BaseModel
from starlette.responses import Response

from relayline.api.commands.receipts import SentCommands
from relayline.api.errors import UnknownRun
from relayline.api.runs.views import LinkMaker, Views
from relayline.api.serving.metrics import Metrics
from relayline.api.streams.feed import Feed, Watch
from relayline.api.streams.progress import ProgressBoard
from relayline.api.streams.sse import Streams
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.namespace import NamespaceCheck
from relayline.api.temporal.stuck import Attention
from relayline.api.temporal.workers import Workforce
from relayline.contracts.runs import RUN_ID_PATTERN, AgentSpec
from relayline.journal.port import Journal

_RUN_ID = re.compile(RUN_ID_PATTERN)


@dataclass(frozen=True)
class RequestLimits:
    """Sizes that a request may have."""

    max_input_bytes: int
    max_metadata_keys: int


@dataclass(frozen=True)
class Services:
    """Everything that a route may need."""

    journal: Journal
    agents: Mapping[str, AgentSpec]
    limits: RequestLimits
    metrics: Metrics
    gateway: Gateway
    workforce: Workforce
    namespace: NamespaceCheck
    links: LinkMaker
    views: Views
    feed: Feed
    streams: Streams
    board: ProgressBoard
    sent: SentCommands
    attention: Attention

    async def close_streams(self) -> None:
        """End every open stream and long poll; the first thing that a stopping server does."""
        closed = self.streams.close()
        self.feed.wake_all()
        await closed

    def waits_no_more(self, watch: Watch) -> bool:
        """True when a long poll must answer now: its client has gone, or the server stops."""
        return watch.left or self.streams.closing

    async def close(self) -> None:
        """Stop every task of this app."""
        await self.board.close()
        await self.feed.close()


async def services_of(request: Request) -> Services:
    """The services of the app that serves the request."""
    services = request.app.state.services
    assert isinstance(services, Services)  # noqa: S101  set once in create_app
    return services


async def run_id_of(
    run_id: Annotated[str, Path(description="The run's id, as `POST /v1/runs` gave it.")],
) -> str:
    """The path's run id.

    Raises:
        UnknownRun: it does not look like one, so there is none.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise UnknownRun(run_id)
    return run_id


def json_response(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The model as an answer."""
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


def wants_stream(request: Request) -> bool:
    """True when the client asked for Server-Sent Events."""
    return "text/event-stream" in request.headers.get("accept", "").lower()


Serving = Annotated[Services, Depends(services_of)]
RunId = Annotated[str, Depends(run_id_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key is the same request, however often it is sent.",
    ),
]
