"""Reads a run to its end, and ends a run that Temporal closed before its workflow could."""

from __future__ import annotations

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.keys import QUEUED_KEY
from relayline.journal.port import Journal, RunEnded, RunErased
from relayline.journal.table import EVERY, Storage, Tenant
from relayline.projections.row import RunRow
from relayline.projections.terminal import Closing, terminal_fact

READ_PAGE = 1000
"""Events that `read_all` reads at a time."""


async def read_all(
    journal: Journal, run_id: str, after: int = 0, *, facts: bool, tenant: Tenant = EVERY
) -> list[StoredEvent]:
    """Every event (or every fact) of a run after that `seq`.

    Raises:
        CursorExpired: `after + 1` is older than the oldest event kept.
        JournalUnavailable: the storage did not answer.
    """
    events: list[StoredEvent] = []
    while True:
        page = await journal.read(tenant, run_id, after, READ_PAGE, facts=facts)
        events.extend(page)
        if len(page) < READ_PAGE:
            return events
        after = page[-1].seq


async def end_run(storage: Storage, run_id: str, closing: Closing) -> bool:
    """Append the terminal fact of a run that Temporal has closed.

    Any number of processes may do this concurrently: the fact is written once, and a run that has
    one keeps it, whatever `closing` says. Open approvals and questions stay open. A journal that
    has nothing of the run is told first what was submitted, so that it stays its tenant's.

    Returns:
        True if this call has written the fact; False also for a run that was erased.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    try:
        head = await storage.head(EVERY, run_id)
    except RunErased:
        return False
    if head and head.ended:
        return False
    listed = await storage.listed(EVERY, run_id)
    fact = terminal_fact(closing, listed.row if listed else RunRow())
    facts = [fact]
    if head is None and closing.queued:
        facts = [NewEvent(key=QUEUED_KEY, body=closing.queued), fact]
    try:
        appended = await storage.append(run_id, facts)
    except (RunEnded, RunErased):
        return False
    return appended[-1].new
