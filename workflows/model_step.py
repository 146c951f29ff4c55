"""One step of the model: its call, and what interrupts it."""

from __future__ import annotations

from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import MAX_REJECTIONS, ModelResult
    from relayline.contracts.errors import ErrorType
    from relayline.contracts.events import RunFailed
    from relayline.contracts.keys import step_scope
    from relayline.contracts.runs import Phase, RunError
    from relayline.workflows.clock import Timer
    from relayline.workflows.dispatch import error_of
    from relayline.workflows.inbox import Stop
    from relayline.workflows.policy import CANCEL_BOUND
    from relayline.workflows.run import Run
    from relayline.workflows.turns.fallbacks import Models


class ModelStep:
    """Calls the model once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._models = Models(run)

    async def run(self) -> ModelResult | RunFailed | None:
        """Call the model; None if a command interrupted it, or the model must answer again."""
        run, state = self._run, self._run.state
        run.steering.redirected = False
        await run.catch_up()
        state.step += 1
        run.pending.add(run.facts.step(state.step, self._models.asked.model, run.turn))
        await run.make_room()
        if run.stop is not Stop.NOTHING:
            self._cut()
            return None
        run.show(Phase.MODEL, busy=True)
        return await self._call()

    async def _call(self) -> ModelResult | RunFailed | None:
        """Call one model after another until one is available; as `run`."""
        run, state = self._run, self._run.state
        started = run.dispatcher.start_model(state.step, self._models.asked)
        cancelled = await self._wait(started.handle)
        if not started.handle.done():
            self._cut()
            return None
        try:
            result = await started.handle
        except ActivityError as error:
            if cancelled or run.is_stale(error):
                self._cut()
                return None
            if self._models.fall_back(error):
                return await self._call_next()
            state.last_error = error_of(error, state.step, ErrorType.MODEL_UNAVAILABLE)
            return RunFailed(error=state.last_error, usage=state.usage)
        run.pending.delivered(started.cargo)
        state.spend(result.usage)
        state.preview = result.preview
        return self._judged(result)

    def _judged(self, answer: ModelResult) -> ModelResult | RunFailed | None:
        """The answer if it counts, the end of the run if too many did not fit, else None."""
        run, state = self._run, self._run.state
        if answer.interrupted:
            return None
        if not answer.rejected or run.input.ends_at(state.step):
            return answer
        if answer.rejections < MAX_REJECTIONS:
            return None
        state.last_error = RunError(
            type=ErrorType.OUTPUT_INVALID,
            message=f"{answer.rejections} answers did not fit the output schema, the last one: "
            f"{answer.rejected}",
            step=state.step,
        )
        return RunFailed(error=state.last_error, usage=state.usage)

    async def _call_next(self) -> ModelResult | RunFailed | None:
        """Call the next model, unless a command or a reset came in time; as `run`."""
        await self._run.make_room()
        if self._run.stop is not Stop.NOTHING or self._run.was_reset:
            self._cut()
            return None
        return await self._call()

    def _cut(self) -> None:
        """Close the step: no attempt may write to it, and it ends with the text so far."""
        run, step = self._run, self._run.state.step
        run.pending.seal(step_scope(run.epoch, step, self._models.asked.tried))
        run.pending.add(run.facts.interrupted(step))

    async def _wait(self, handle: workflow.ActivityHandle[ModelResult]) -> bool:
        """Wait for the model call, and at most `CANCEL_BOUND` after cancelling it.

        Returns:
            Whether it was cancelled.
        """
        run = self._run
        stop_bound: Timer | None = None
        while not handle.done() and not (stop_bound and stop_bound.fired):
            run.acknowledge()
            if run.stop is not Stop.NOTHING and not stop_bound:
                run.dispatcher.stop(handle)
                stop_bound = Timer(CANCEL_BOUND, "bound for the model to stop")
                run.steering.cancelled.append("the model")
            await run.until(partial(self._woken, handle, stop_bound), busy=True)
        if stop_bound:
            stop_bound.stop()
        return stop_bound is not None

    def _woken(self, handle: workflow.ActivityHandle[ModelResult], bound: Timer | None) -> bool:
        run = self._run
        stops = bound.fired if bound else run.stop is not Stop.NOTHING
        return handle.done() or stops
