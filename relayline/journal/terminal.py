"""Ends a run in the journal when Temporal has closed it without the workflow's word."""

from __future__ import annotations

from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import Journal, RunEnded
from relayline.projections.summary import summary
from relayline.projections.terminal import Closing, terminal_fact


async def end_run(journal: Journal, run_id: str, closing: Closing) -> bool:
    """Append the run's terminal fact, after which nothing is appended any more.

    Any number of processes may try at a time: the fact is written once, and a run that has one
    keeps it, whatever `closing` says. Open approvals and questions stay as they are.

    Returns:
        Whether this call has written it.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    head = await journal.head(run_id)
    if head and head.ended:
        return False
    fact = terminal_fact(closing, summary(await read_all(journal, run_id, facts=True)))
    try:
        [appended] = await journal.append(run_id, [fact])
    except RunEnded:
        return False
    return appended.new


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
