"""The workflow: one agent run. Decisions only; content is in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError

with workflow.unsafe.imports_passed_through():
    from contracts.commands import Cancel, Command, CommandKind, Pause, Resume
    from contracts.errors import ErrorType
    from contracts.events import RunCancelled, RunCompleted, RunFailed
    from contracts.runs import (
        Phase,
        RunError,
        RunInput,
        RunProgress,
        RunResult,
        RunStatus,
        Waiting,
    )
    from contracts.steps import ModelResult, PlannedCall, call_scope, step_scope
    from workflows.calls import Calls, ToolStarted, error_of
    from workflows.facts import Ending, Facts, cancelled
    from workflows.outbox import PendingFacts
    from workflows.policy import CANCEL_BOUND
    from workflows.shown import Shown
    from workflows.state import Excess, RunState, exceeded, overdue
    from workflows.steering import Inbox

_EPOCH = 0
_BY_TEMPORAL = "temporal"
_PAUSED = Waiting(kind="resume", what="the run is paused; send `resume`")


@workflow.defn
class AgentRun:
    """One agent run: call the model, call the tools it asks for, until it asks for none.

    Signals record intent; the loop acts. What is decided here is shown only after Temporal has
    committed it: facts ride along with the next activity. The terminal fact is the line: the inbox
    is drained before it is recorded, and nothing is applied after it.
    """

    @workflow.init
    def __init__(self, run_input: RunInput) -> None:
        self._input = run_input
        self._state = RunState(started_at=workflow.now())
        self._inbox = Inbox()
        self._pending = PendingFacts()
        self._facts = Facts(_EPOCH)
        self._calls = Calls(run_input, _EPOCH, self._pending)
        self._shown = Shown(self._state)
        self._paused = False
        self._overdue = False

    @workflow.run
    async def run(self, run_input: RunInput) -> RunResult:
        """Run the agent to its end.

        Returns:
            How it ended, when it completed or a command cancelled it.

        Raises:
            ApplicationError: the run failed; type and message are those of `run.failed`.
            CancelledError: Temporal was asked to cancel the workflow; `run.cancelled` is recorded.
        """
        clock = asyncio.create_task(self._watch_clock())
        self._pending.add(*self._facts.begin(run_input))
        ending = await self._loop()
        clock.cancel()
        return await self._end(ending)

    @workflow.query
    def progress(self) -> RunProgress:
        """Where the run stands now."""
        return self._state.progress(self._input)

    @workflow.signal
    def pause(self, command: Pause | None = None) -> None:
        """Stop before the next model or tool call."""
        self._receive(CommandKind.PAUSE, command or Pause())

    @workflow.signal
    def resume(self, command: Resume | None = None) -> None:
        """Go on after a pause."""
        self._receive(CommandKind.RESUME, command or Resume())

    @workflow.signal
    def cancel(self, command: Cancel | None = None) -> None:
        """End the run; what runs is told to stop."""
        self._receive(CommandKind.CANCEL, command or Cancel())

    def _receive(self, kind: CommandKind, command: Command) -> None:
        if not command.command_id:
            command = command.model_copy(update={"command_id": f"cmd_{workflow.uuid4().hex}"})
        self._inbox.put(kind, command)

    async def _loop(self) -> Ending:
        """Steps, until something ends the run."""
        limits = self._input.agent.limits
        while True:
            ending = await self._steer() or self._refuse(exceeded(self._state, limits))
            if ending:
                return ending
            answer = await self._model_step()
            if not isinstance(answer, ModelResult):
                return answer
            ending = await self._steer(more=bool(answer.calls))
            if ending:
                return ending
            if not answer.calls:
                return RunCompleted(usage=self._state.usage)
            excess = exceeded(self._state, limits, calls=len(answer.calls))
            ending = self._refuse(excess) or await self._tool_step(answer.calls)
            if ending:
                return ending

    async def _model_step(self) -> ModelResult | Ending:
        """One model call."""
        state = self._state
        state.step += 1
        self._pending.add(self._facts.step(state.step, self._input.agent.model))
        self._shown.update(RunStatus.RUNNING, Phase.MODEL)
        started = self._calls.start_model(state.step)
        await self._settle([started.handle])
        if not started.handle.done():
            self._pending.seal(step_scope(_EPOCH, state.step))
            return self._stopped()
        try:
            result = await started.handle
        except ActivityError as error:
            if isinstance(error.cause, CancelledError):
                return self._stopped()
            state.last_error = error_of(error, state.step, ErrorType.MODEL_UNAVAILABLE)
            return RunFailed(error=state.last_error, usage=state.usage)
        self._pending.delivered(started.cargo)
        state.usage += result.usage
        state.preview = result.preview
        return self._stopped() if result.interrupted else result

    async def _tool_step(self, calls: tuple[PlannedCall, ...]) -> Ending | None:
        """The tool calls of one answer, side by side."""
        state = self._state
        state.tool_calls += len(calls)
        state.running_tools = tuple(call.name for call in calls)
        self._shown.update(RunStatus.RUNNING, Phase.TOOLS)
        started = [self._calls.start_tool(state.step, call) for call in calls]
        await self._settle([tool.handle for tool in started])
        for tool in started:
            await self._tool_ended(tool)
        state.running_tools = ()
        return self._stopped() if self._must_stop else None

    async def _tool_ended(self, tool: ToolStarted) -> None:
        """Take note of how a tool call ended; what the activity wrote itself stands."""
        step = self._state.step
        if not tool.handle.done():
            self._pending.add(self._facts.tool_stopped(tool.call, step, None))
        else:
            try:
                await tool.handle
            except ActivityError as error:
                self._tool_raised(tool.call, error)
            else:
                self._pending.delivered(tool.cargo)
                return
        self._pending.seal(call_scope(_EPOCH, tool.call.call_id))

    def _tool_raised(self, call: PlannedCall, error: ActivityError) -> None:
        step = self._state.step
        if isinstance(error.cause, CancelledError):
            self._pending.add(self._facts.tool_stopped(call, step, workflow.now()))
            return
        self._state.last_error = error_of(error, step, ErrorType.TOOL_TIMED_OUT)
        self._pending.add(self._facts.tool_failed(call, step, self._state.last_error))

    async def _settle(self, handles: Sequence[workflow.ActivityHandle[Any]]) -> None:
        """Wait until all calls have ended, showing meanwhile which commands have come in.

        When the run must stop, the calls are told so and get `CANCEL_BOUND` to end; those that
        do not are left behind.
        """

        def done() -> bool:
            return all(handle.done() for handle in handles)

        while not done() and not self._must_stop:
            await self._wait(lambda: done() or self._must_stop or self._inbox.unread)
            if self._acknowledge() and not done():
                self._calls.record_soon()
        if done():
            return
        for handle in handles:
            handle.cancel()
        await self._wait(done, CANCEL_BOUND)

    async def _steer(self, *, more: bool = True) -> Ending | None:
        """Act on every command that has come in; while paused, wait for the next one.

        Args:
            more: False when nothing is left to run: a pause has nothing to stop then.
        """
        while True:
            ending = self._act(more=more)
            if ending or not self._paused:
                return ending
            self._shown.update(RunStatus.PAUSED, Phase.PAUSED, _PAUSED)
            self._calls.record_soon()
            await self._wait(lambda: self._must_stop or self._inbox.unread)

    def _act(self, *, more: bool) -> Ending | None:
        """Act on what has come in, oldest first; what is left when the run ends is refused."""
        self._acknowledge()
        while received := self._inbox.take():
            if isinstance(received.command, Cancel):
                step, usage = self._state.step, self._state.usage
                self._pending.add(self._facts.applied(received, step, "the run is cancelled"))
                return cancelled(received.command, usage)
            self._paused, facts = self._facts.switch(
                received, self._state.step, paused=self._paused, more=more
            )
            self._pending.add(*facts)
        return self._refuse(overdue(self._input.agent.limits)) if self._overdue else None

    def _acknowledge(self) -> bool:
        """Put `command.accepted` on its way for each unread command; True if there was one."""
        fresh = self._inbox.read()
        self._pending.add(*(self._facts.accepted(received) for received in fresh))
        return bool(fresh)

    @property
    def _must_stop(self) -> bool:
        return self._overdue or self._inbox.stops

    def _stopped(self) -> Ending:
        """What ends a run whose calls were told to stop."""
        step, usage = self._state.step, self._state.usage
        error = RunError(type=ErrorType.INTERRUPTED, message="a call was cancelled", step=step)
        return self._act(more=True) or RunFailed(error=error, usage=usage)

    def _refuse(self, excess: Excess | None) -> RunFailed | None:
        """The ending that a reached limit means, None when none was reached."""
        if excess is None:
            return None
        step = self._state.step
        self._pending.add(self._facts.budget(step, excess))
        error = RunError(type=ErrorType.BUDGET_EXCEEDED, message=excess.message, step=step)
        self._state.last_error = error
        return RunFailed(error=error, usage=self._state.usage)

    async def _end(self, ending: Ending) -> RunResult:
        """Refuse what is left, record the terminal fact, return or raise accordingly."""
        state = self._state
        state.phase = Phase.ENDING
        self._acknowledge()
        while left := self._inbox.take():
            self._pending.add(self._facts.refused(left, state.step, "run-ended"))
        self._pending.add(self._facts.end(state.step, ending))
        recording = asyncio.create_task(self._calls.record(ending.type))
        await self._wait(recording.done)  # a cancellation that comes now comes too late
        await recording
        status = {RunCompleted: RunStatus.COMPLETED, RunFailed: RunStatus.FAILED}
        self._shown.update(status.get(type(ending), RunStatus.CANCELLED), Phase.ENDED)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if isinstance(ending, RunFailed):
            raise ApplicationError(ending.error.message, type=ending.error.type, non_retryable=True)
        if isinstance(ending, RunCancelled) and ending.by == _BY_TEMPORAL:
            raise asyncio.CancelledError
        return RunResult(
            status=state.status, preview=state.preview, usage=state.usage, steps=state.step
        )

    async def _watch_clock(self) -> None:
        """The one timer of the run."""
        await workflow.sleep(self._input.agent.limits.max_wall_s, summary="wall clock limit")
        self._overdue = True

    async def _wait(self, condition: Callable[[], bool], bound: timedelta | None = None) -> None:
        """Wait for a condition, at most `bound`; a cancel request from Temporal is a command."""
        while not condition():
            try:
                await workflow.wait_condition(condition, timeout=bound)
            except TimeoutError:
                return
            except asyncio.CancelledError:
                command = Cancel(
                    command_id=f"cmd_{workflow.uuid4().hex}",
                    by=_BY_TEMPORAL,
                    reason=workflow.cancellation_reason() or "",
                )
                self._inbox.put(CommandKind.CANCEL, command)
