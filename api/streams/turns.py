"""A stream of one turn of a conversation, from the message that begins it to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from relayline.api.runs.conversations import Conversations
from relayline.api.streams.feed import Channel
from relayline.api.streams.viewer import RETRY_S, Viewer
from relayline.journal.port import JournalUnavailable
from relayline.journal.table import Tenant
from relayline.projections.selection import Selection

_log = logging.getLogger(__name__)


class TurnBounds:
    """Where the turn of a command, or the newest one, begins and ends."""

    def __init__(
        self, conversations: Conversations, tenant: Tenant, run_id: str, command_id: str | None
    ) -> None:
        self._conversations = conversations
        self._whose = (tenant, run_id)
        self._command_id = command_id
        self.begins_after: int | None = None
        """The events of the turn come after this one; None while nobody knows."""
        self.ends_at: int | None = None
        """`seq` of the last event to show; None while nobody knows."""
        self.turn: int | None = None

    async def look(self) -> None:
        """Find out what there is to know.

        Raises:
            JournalUnavailable: the journal does not answer.
        """
        if self.begins_after is None:
            await self._find_begin()
        if self.turn is not None and self.ends_at is None:
            end = await self._conversations.end(*self._whose, self.turn)
            self.ends_at = end.seq if end else None

    async def _find_begin(self) -> None:
        if self._command_id is None:
            self.begins_after = 0
            self.turn = await self._conversations.newest(*self._whose)
            return
        begin = await self._conversations.begin(*self._whose, self._command_id)
        if begin is None:
            return
        self.turn, self.begins_after = begin.turn, begin.seq
        if begin.turn is None:  # the refusal is all that there is to show
            self.begins_after, self.ends_at = begin.seq - 1, begin.seq


class TurnViewer(Viewer):
    """A viewer of one turn: shows nothing before its message, and ends with it."""

    def __init__(
        self,
        channel: Channel,
        position: int,
        bounds: TurnBounds,
        selection: Selection | None = None,
    ) -> None:
        super().__init__(channel, position, selection)
        self._bounds = bounds
        self._facts = -1
        self._begun = False

    async def next_chunk(self) -> bytes | None:
        """As in `Viewer`, within the bounds of the turn."""
        if not self._begun and not await self._begins():
            return None if self.channel.over else self._notice()
        if self._over:
            return None
        self.last = self._bounds.ends_at or self._turn_end()
        chunk = await super().next_chunk()
        return None if chunk == b"" and self._over else chunk

    def push_to(self, write: Callable[[bytes], bool]) -> bool:
        """As in `Viewer`; around the bounds of the turn, only a task can."""
        if not self._begun or self._bounds.ends_at or self._turn_end():
            return False
        return super().push_to(write)

    async def _begins(self) -> bool:
        """True once the turn has begun; the position is then before its message."""
        if self._facts == self.channel.facts:
            return False
        self._facts = self.channel.facts
        try:
            await self._bounds.look()
        except JournalUnavailable as error:
            _log.warning("journal unavailable, stream held", extra={"reason": str(error)})
            self._facts = -1
            asyncio.get_running_loop().call_later(RETRY_S, self.wake)
            return False
        if self._bounds.begins_after is None:
            return False
        self._begun = True
        self.position = max(self.position, self._bounds.begins_after)
        return True

    def _turn_end(self) -> int | None:
        """`seq` of the end of the turn, if it has come since the run is followed."""
        return self.channel.turn_ends.get(self._bounds.turn or 0)

    @property
    def _over(self) -> bool:
        return self.last is not None and self.position >= self.last
