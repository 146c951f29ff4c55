"""Reads a run's journal to its end."""

from __future__ import annotations

from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import Journal

READ_PAGE = 1000


async def read_all(
    journal: Journal, run_id: str, after: int = 0, *, facts: bool
) -> list[StoredEvent]:
    """Every event (or every fact) of a run after that `seq`.

    Raises:
        CursorExpired: `after + 1` is older than the oldest event kept.
        JournalUnavailable: the storage did not answer.
    """
    events: list[StoredEvent] = []
    while True:
        page = await journal.read(run_id, after, READ_PAGE, facts=facts)
        events.extend(page)
        if len(page) < READ_PAGE:
            return events
        after = page[-1].seq
