"""What earlier steps and attempts of a run have left for a model call."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.exceptions import ApplicationError

from relayline.activities.attempt import Attempt, attempt_behind
from relayline.activities.completion import message_in
from relayline.contracts.calls import ModelRequest
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import MessageCompleted, MessageInterrupted
from relayline.projections.valid import superseded_attempts


def check_previous_step(step: int, facts: Sequence[StoredEvent]) -> None:
    """Check that the previous step has a message; otherwise the transcript would have a gap.

    Raises:
        ApplicationError: `journal-incomplete`: the journal is older than the run.
    """
    kinds = {"message.completed", "message.interrupted"}
    if step > 1 and not any(it.step == step - 1 and it.type in kinds for it in reversed(facts)):
        raise ApplicationError(
            f"the journal has no message of step {step - 1}, which this run has taken: was the "
            "journal restored from an older backup than Temporal's?",
            type=ErrorType.JOURNAL_INCOMPLETE,
            non_retryable=True,
        )


async def supersede(attempt: Attempt, request: ModelRequest, facts: Sequence[StoredEvent]) -> None:
    """Supersede the deltas of earlier attempts; the fence keeps them from adding more.

    Raises:
        ApplicationError: `attempt-behind`: another attempt with this number may still write;
            Temporal retries.
    """
    scope = attempt.scope
    first = next((fact.seq for fact in facts if fact.step == request.step), 1)
    events = await attempt.read_all(first - 1, facts=False)
    of_step = [event for event in events if event.step == request.step]
    if attempt.number == 1 or any(event.attempt == attempt.number for event in of_step):
        raise attempt_behind(f"attempt {attempt.number} of step {request.step} has started before")
    void = superseded_attempts(events, scope=scope, step=request.step, attempt=attempt.number)
    if void:
        await attempt.append(*void)


async def recorded_message(
    key: str, facts: Sequence[StoredEvent]
) -> MessageCompleted | MessageInterrupted | None:
    """The message that an earlier attempt has recorded, None if there is none."""
    return await message_in(next((fact for fact in reversed(facts) if fact.key == key), None))
