"""Appends the past of a run to its journal, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from temporalio.exceptions import ApplicationError

from relayline.activities.attempt import Attempt
from relayline.activities.threads import in_thread
from relayline.contracts.calls import PastRequest
from relayline.contracts.envelope import NewEvent, Outbox, StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.keys import FORKED_KEY, QUEUED_KEY
from relayline.projections.forks.past import inherited

_BEFORE = frozenset({"run.queued", "run.started"})


async def append_past(attempt: Attempt, request: PastRequest) -> None:
    """Append the past, unless it is there, and the facts of the outbox around it.

    `run.queued` goes first, alone: whoever has written it, the `seq`s of the rest are known then.
    """
    queued = [fact for fact in request.outbox.facts if fact.key == QUEUED_KEY]
    others = [fact for fact in request.outbox.facts if fact.key != QUEUED_KEY]
    await attempt.open(Outbox(facts=tuple(queued)), FORKED_KEY)
    facts = await attempt.read_all(facts=True)
    if any(fact.key == FORKED_KEY for fact in facts):
        await attempt.record(Outbox(facts=tuple(others)))
    else:
        await attempt.append(*await _around(attempt, request, others, facts[-1].seq))


async def _around(
    attempt: Attempt, request: PastRequest, others: Sequence[NewEvent], newest: int
) -> list[NewEvent]:
    """The facts of the outbox, with the past between them."""
    before = [fact for fact in others if fact.body.type in _BEFORE]
    after = [fact for fact in others if fact.body.type not in _BEFORE]
    source = await _source(attempt, request)
    at = newest + len(before) + 1
    work = partial(inherited, request.past, source, at, is_open=request.is_open)
    past = await in_thread(work, (fact.data for fact in source))
    return [*before, past.forked, *past.facts, *after]


async def _source(attempt: Attempt, request: PastRequest) -> Sequence[StoredEvent]:
    """The facts of the run that this one is a fork of; none if it has a past that was given."""
    past = request.past
    if past.run_id is None or not past.seq:
        return ()
    facts = await attempt.read_other(request.tenant, past.run_id)
    if not facts or facts[-1].seq < past.seq:
        raise ApplicationError(
            f"{past.run_id}, of which this run is a fork, is gone from the journal",
            type=ErrorType.JOURNAL_INCOMPLETE,
            non_retryable=True,
        )
    return facts
