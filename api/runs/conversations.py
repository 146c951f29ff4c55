"""The turns of conversations: which one a command began, and how it ended."""

from __future__ import annotations

from typing import NamedTuple

from relayline.contracts.answers import RunView, TurnView
from relayline.contracts.command_answers import CommandView
from relayline.contracts.events import CommandApplied, CommandRefused, TurnCompleted
from relayline.contracts.keys import inherited_turn_key, outcome_key, turn_key
from relayline.journal.table import Storage, Tenant


class TurnBegin(NamedTuple):
    """Where a command is answered in the journal."""

    seq: int
    """Of its outcome; its `message.user` follows."""
    turn: int | None
    """The turn that it began or joined; None if it was refused, or is no message."""


class TurnEnd(NamedTuple):
    """The end of a turn."""

    seq: int
    """Of its `turn.completed`."""
    view: TurnView


class Conversations:
    """Finds turns in the journal.

    Every method raises `JournalUnavailable` if the journal does not answer.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def begin(self, tenant: Tenant, run_id: str, command_id: str) -> TurnBegin | None:
        """Where the command is answered; None while it has no outcome."""
        fact = await self._storage.get(tenant, run_id, outcome_key(command_id))
        body = fact.body() if fact else None
        if fact and isinstance(body, CommandApplied | CommandRefused):
            turn = body.turn if isinstance(body, CommandApplied) else None
            return TurnBegin(fact.seq, turn)
        return None

    async def command(self, tenant: Tenant, view: RunView, command_id: str) -> CommandView:
        """Where a command to the run stands; one that the run has not settled is `accepted`."""
        known = CommandView(command_id=command_id, run_id=view.run_id, state="accepted")
        fact = await self._storage.get(tenant, view.run_id, outcome_key(command_id))
        body = fact.body() if fact else None
        if isinstance(body, CommandApplied):
            known.state, known.kind, known.turn = "applied", body.kind, body.turn
            known.applied = body.applied
        elif isinstance(body, CommandRefused):
            known.state, known.kind, known.reason = "refused", body.kind, body.reason
        elif view.status.ended:
            known.state, known.reason = "refused", "run-ended"
        return known

    async def newest(self, tenant: Tenant, run_id: str) -> int:
        """The newest turn that has begun."""
        listed = await self._storage.listed(tenant, run_id)
        return (listed.row.turn if listed else None) or 1

    async def end(self, tenant: Tenant, run_id: str, turn: int) -> TurnEnd | None:
        """How the turn has ended; None while it has not."""
        listed = await self._storage.listed(tenant, run_id)
        epochs = range(listed.row.epoch if listed else 0, -1, -1)
        for key in (*(turn_key(epoch, turn) for epoch in epochs), inherited_turn_key(turn)):
            fact = await self._storage.get(tenant, run_id, key)
            body = fact.body() if fact else None
            if fact and isinstance(body, TurnCompleted):
                view = TurnView.model_validate(body.model_dump(exclude={"type"}))
                return TurnEnd(fact.seq, view)
        return None

    async def is_over(self, tenant: Tenant, run_id: str, command_id: str | None) -> bool:
        """True if the turn that the command began has ended, or the command was refused.

        Without a command: if the run is idle or has ended.
        """
        if command_id is not None:
            begin = await self.begin(tenant, run_id, command_id)
            if begin is None:
                return False
            return begin.turn is None or await self.end(tenant, run_id, begin.turn) is not None
        listed = await self._storage.listed(tenant, run_id)
        return listed is not None and (listed.row.waits.idle or listed.row.status.ended)

    async def add(self, tenant: Tenant, view: RunView) -> None:
        """Add to the run what is known of its past and its turns.

        `view.command` names the turn that counts.
        """
        listed = await self._storage.listed(tenant, view.run_id)
        row = listed.row if listed else None
        if row and row.fork:
            view.forked_from, view.inherited_usage = row.source, row.inherited_usage
        if row is None or row.turn is None:
            return
        view.turn = row.turn
        asked = view.command.turn if view.command else None
        over = row.waits.idle or row.status.ended
        turn = asked or (row.turn if over else row.turn - 1)
        end = await self.end(tenant, view.run_id, turn)
        view.last_turn = end.view if end else None
