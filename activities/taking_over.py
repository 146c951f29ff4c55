"""How an attempt of a model call takes over from those before it.

Temporal counts attempts; a fence in the journal shuts out all but the newest. When an operator
resets the activity, or the run, Temporal counts anew: then the newest attempt has a number that
the journal has seen. It gives up, as often as it takes until the number is a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.attempt import Attempt
from activities.superseding import superseded_attempts
from contracts.envelope import StoredEvent
from contracts.errors import ErrorType
from contracts.steps import ModelRequest, step_scope
from journal.port import SEALED, StaleAttempt

_NEXT = timedelta(milliseconds=50)


async def opened(attempt: Attempt, request: ModelRequest, result: str) -> bool:
    """`Attempt.open`, for an attempt that may be behind.

    Raises:
        ApplicationError: `attempt-behind`: the journal has seen later attempts; Temporal tries
            again. `stale-attempt`: no attempt may write any more. Else as `open`.
    """
    try:
        return await attempt.open(request.outbox, result)
    except ApplicationError as error:
        refused = error.__cause__
        if isinstance(refused, StaleAttempt) and refused.by < SEALED:
            raise _behind(str(refused)) from error
        raise


async def supersede(attempt: Attempt, request: ModelRequest, facts: Sequence[StoredEvent]) -> None:
    """Void what earlier attempts streamed; the fence is up, so they add nothing more.

    Raises:
        ApplicationError: `attempt-behind`: there was an attempt of this number, which may still
            write; Temporal tries again.
    """
    scope = step_scope(request.epoch, request.step)
    first = next((fact.seq for fact in facts if fact.step == request.step), 1)
    events = await attempt.read_all(first - 1, facts=False)
    of_step = [event for event in events if event.step == request.step]
    if attempt.number == 1 or any(event.attempt == attempt.number for event in of_step):
        raise _behind(f"attempt {attempt.number} of step {request.step} has begun before")
    void = superseded_attempts(events, scope=scope, step=request.step, attempt=attempt.number)
    if void:
        await attempt.append(*void)


def _behind(why: str) -> ApplicationError:
    return ApplicationError(
        why,
        type=ErrorType.ATTEMPT_BEHIND,
        next_retry_delay=_NEXT,
        category=ApplicationErrorCategory.BENIGN,
    )
