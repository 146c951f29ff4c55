"""The outcome of a command, from the journal, this process's memory or Temporal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

from starlette.types import Receive

from relayline.api.commands.sending import SentCommands
from relayline.api.errors import TemporalUnavailable, UnknownCommand
from relayline.api.runs.views import Views
from relayline.api.streams.feed import Channel
from relayline.api.streams.long_poll import LongPoll
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.command_answers import CommandView
from relayline.contracts.envelope import StoredEvent, storable
from relayline.contracts.events import CommandAccepted, CommandApplied, CommandRefused
from relayline.contracts.keys import accepted_key, outcome_key
from relayline.journal.port import Journal
from relayline.journal.table import Tenant

_ENDED = "run-ended"


class Outcomes:
    """Looks commands up: in the journal, among those just sent, and last in Temporal."""

    def __init__(
        self,
        views: Views,
        journal: Journal,
        gateway: Gateway,
        sent: SentCommands,
        poll: LongPoll,
    ) -> None:
        self._views = views
        self._journal = journal
        self._gateway = gateway
        self._sent = sent
        self._poll = poll

    async def find(
        self, receive: Receive, tenant: Tenant, run_id: str, command_id: str, seconds: float
    ) -> CommandView:
        """The command; with `seconds`, as soon as its outcome is known or they are over.

        Raises:
            UnknownRun: nobody knows the run.
            UnknownCommand: nobody knows the command.
            TemporalUnavailable: only Temporal may know it, and can't be asked.
        """
        if not storable(command_id):  # a run replaces such an id
            raise UnknownCommand(f"no command has the id {command_id[:100]!r}")
        view = await self._find(tenant, run_id, command_id)
        if view and not (seconds and view.state == "accepted"):
            return view
        head = await self._views.head(tenant, run_id)
        if seconds and not (head and head.ended):
            newest = head.last_seq if head else 0
            waiting = _Waiting(partial(self._find, tenant, run_id, command_id))
            await self._poll.until(receive, tenant, run_id, newest, seconds, waiting.is_over)
            if waiting.outcome:
                return waiting.outcome
        view = await self._find(tenant, run_id, command_id, ask_temporal=True)
        if view is None:
            raise UnknownCommand(f"run {run_id} has had no command {command_id[:100]!r}")
        return view

    async def _find(
        self, tenant: Tenant, run_id: str, command_id: str, *, ask_temporal: bool = False
    ) -> CommandView | None:
        """The command's state, None if it is unknown.

        Looks up the end of the run before the outcome: outcomes precede the terminal fact.

        Raises:
            TemporalUnavailable: only Temporal may know it, and can't be asked.
        """
        head = await self._journal.head(tenant, run_id)
        ended = head is not None and head.ended
        if not ended and ask_temporal:
            ended = await self._closed(run_id)
        outcome = await self._journal.get(tenant, run_id, outcome_key(command_id))
        if outcome:
            return _outcome(run_id, command_id, outcome)
        accepted = await self._journal.get(tenant, run_id, accepted_key(command_id))
        sent = self._sent.get(run_id, command_id)
        kind = sent.kind if sent else None
        if accepted and isinstance(body := accepted.body(), CommandAccepted):
            kind = body.kind
        if kind is None and ask_temporal:
            received = await self._gateway.received(run_id, command_id)
            kind = received.kind if received else None
        if kind is None:
            return None
        state: Literal["accepted", "refused"] = "refused" if ended else "accepted"
        return CommandView(
            command_id=command_id,
            run_id=run_id,
            kind=kind,
            state=state,
            reason=_ENDED if ended else None,
        )

    async def _closed(self, run_id: str) -> bool:
        """True when the run has ended in Temporal, for example because it was terminated there."""
        try:
            execution = await self._gateway.execution(run_id)
        except TemporalUnavailable:
            return False
        return execution is not None and execution.status.ended


class _Waiting:
    """Looks again after each fact until there is an outcome."""

    def __init__(self, find: Callable[[], Awaitable[CommandView | None]]) -> None:
        self._find = find
        self._facts = -1
        self.outcome: CommandView | None = None

    async def is_over(self, channel: Channel) -> bool:
        if channel.facts != self._facts:
            self._facts = channel.facts
            view = await self._find()
            if view and view.state != "accepted":
                self.outcome = view
        return self.outcome is not None


def _outcome(run_id: str, command_id: str, fact: StoredEvent) -> CommandView:
    body = fact.body()
    view = CommandView(command_id=command_id, run_id=run_id, state="applied", step=fact.step)
    if isinstance(body, CommandApplied):
        view.kind, view.applied, view.turn = body.kind, body.applied, body.turn
    elif isinstance(body, CommandRefused):
        view.state, view.kind, view.reason = "refused", body.kind, body.reason
    return view
