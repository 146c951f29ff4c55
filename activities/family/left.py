"""Runs that a call has begun in a task of the workflow that was lost, and then never started."""

from __future__ import annotations

from collections.abc import Sequence

from relayline.catalog.family import ASK
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ChildEnded, ChildStarted, ToolCancelled, ToolFailed
from relayline.contracts.keys import child_ended_key, child_started_key
from relayline.contracts.runs import RunStatus
from relayline.journal.port import Journal, RunErased
from relayline.journal.table import EVERY


async def left_runs(
    journal: Journal, run_id: str, fact: NewEvent, before: Sequence[NewEvent]
) -> tuple[NewEvent, ...]:
    """`child.ended` for the run of a call that ends with this fact, if nobody tells of its end.

    The worker died after it had begun the run, and what has ended the call came before the next
    try. Nothing but `run.queued` is in the journal of that run, and housekeeping removes it.

    Args:
        journal: Has the facts of the run,
        run_id: of which this is,
        fact: the fact,
        before: and these are appended with it.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    body = fact.body
    epoch, _, _ = (fact.key or "").partition("/")
    if not isinstance(body, ToolCancelled | ToolFailed) or not body.name.startswith(ASK):
        return ()
    told = any(isinstance(it.body, ChildEnded) and it.body.call_id == body.call_id for it in before)
    if told or not epoch.isdigit():
        return ()
    stored = await journal.get(EVERY, run_id, child_started_key(int(epoch), body.call_id))
    started = stored.body() if stored else None
    if not isinstance(started, ChildStarted) or await _begun(journal, started.run_id):
        return ()
    ended = {"call_id": body.call_id, "run_id": started.run_id, "status": RunStatus.CANCELLED}
    end = ChildEnded.model_validate(ended)
    return (NewEvent(key=child_ended_key(end.run_id), body=end, step=fact.step),)


async def _begun(journal: Journal, run_id: str) -> bool:
    """True if the run has done anything."""
    try:
        head = await journal.head(EVERY, run_id)
    except RunErased:
        return True
    return head is not None and head.last_seq > 1
