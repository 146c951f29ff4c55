"""How a run begins: at once, or at its time."""

from __future__ import annotations

from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.events import RunCancelled
    from relayline.contracts.runs import MEMO_REQUEST, Phase, RunRequestMemo
    from relayline.workflows.clock import Timer
    from relayline.workflows.facts import Ending
    from relayline.workflows.run import Run
    from relayline.workflows.submissions.past import take_past


async def begin(run: Run) -> Ending | None:
    """Record the start and the input, once it is time; the ending if it comes to one before.

    Only the first execution of a run does so. A run with a past has that before anything else.
    """
    if run.input.carried is not None:
        return None
    asked = workflow.memo_value(MEMO_REQUEST, None, type_hint=RunRequestMemo)
    submitted_at = asked.created_at if asked else None
    if run.input.past:
        await run.catch_up()
    queued, started, given = run.facts.begin(run.input, submitted_at, workflow.now())
    # of one for later without the start; its input at once, for a redirect must come after it
    told = (queued, given) if run.scheduled else (queued, started, given)
    if run.input.past is None:
        run.pending.add(*told)
    elif failed := await take_past(run, run.input.past, told):
        return failed
    if not run.scheduled:
        return None
    if ending := await _until_start(run):
        return ending
    _, started, _ = run.facts.begin(run.input, submitted_at, workflow.now())
    run.pending.add(started)
    return None


async def _until_start(run: Run) -> RunCancelled | None:
    """Wait until the run may start and is not paused; commands are handled meanwhile."""
    now = workflow.now()
    due = Timer((run.input.start_at or now) - now, "until the run starts")
    ending: RunCancelled | None = None
    while not ending and (run.steering.paused or not due.fired):
        await run.until(partial(_starts, run, due))
        run.acknowledge()
        ending = run.steering.act()
        if not due.fired:
            run.show(Phase.STARTING, busy=False)
    due.stop()
    run.start_clock()
    return ending


def _starts(run: Run, due: Timer) -> bool:
    return due.fired and not run.steering.paused
