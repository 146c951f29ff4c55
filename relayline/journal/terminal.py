"""Ends a run in the journal when Temporal has closed it without the workflow's word."""

from __future__ import annotations

from relayline.journal.port import Journal, RunEnded
from relayline.journal.reading import read_all
from relayline.projections.terminal import Closing, reached_by, terminal_fact


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
    fact = terminal_fact(closing, reached_by(await read_all(journal, run_id, facts=True)))
    try:
        [appended] = await journal.append(run_id, [fact])
    except RunEnded:
        return False
    return appended.new
