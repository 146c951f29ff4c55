"""How a run takes over its past: before anything else, in one activity."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from relayline.activities.record import RecordActivities
    from relayline.contracts.calls import PastRequest
    from relayline.contracts.envelope import NewEvent, Outbox
    from relayline.contracts.errors import ErrorType
    from relayline.contracts.events import RunFailed
    from relayline.contracts.runs import Past
    from relayline.workflows import policy
    from relayline.workflows.dispatch import error_of
    from relayline.workflows.run import Run

_MESSAGE = "message.user"


async def take_past(run: Run, past: Past, told: Sequence[NewEvent]) -> RunFailed | None:
    """Have the journal get the past, within the facts with which the run begins.

    Commands that come meanwhile wait: nothing else may be appended between these facts.

    Args:
        run: The run.
        past: Its past.
        told: The facts; the input is left out if it is no message.

    Returns:
        The ending, if the past is gone.
    """
    facts = tuple(it for it in told if past.asks or it.body.type != _MESSAGE)
    try:
        await run.settled(asyncio.create_task(_record(run, past, facts)))
    except ActivityError as error:
        why = error_of(error, run.state.step, ErrorType.JOURNAL_INCOMPLETE)
        run.state.last_error = why
        run.pending.add(*facts)
        return RunFailed(error=why, usage=run.state.usage)
    run.pending.known.extend(fact.key for fact in facts if fact.key)
    return None


async def _record(run: Run, past: Past, facts: tuple[NewEvent, ...]) -> None:
    came = f"fork of {past.run_id} from step {past.step}" if past.run_id else "history"
    await workflow.execute_activity_method(
        RecordActivities.record_past,
        PastRequest(
            run_id=run.input.run_id,
            epoch=run.epoch,
            tenant=run.input.tenant,
            past=past,
            is_open=run.input.idle_s is not None,
            outbox=Outbox(facts=facts),
        ),
        summary=came,
        start_to_close_timeout=policy.PAST_TIMEOUT,
        retry_policy=policy.RECORD_RETRY,
    )
