"""The workflow of one agent run. It only decides; the journal has the content."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import PlannedCall, known_output
    from relayline.contracts.commands import (
        MOVE_SIGNAL,
        Answer,
        AnyCommand,
        Cancel,
        Close,
        Decide,
        Pause,
        Redirect,
        Resume,
        SendMessage,
        read_command,
    )
    from relayline.contracts.events import RunCancelled, RunCompleted, RunFailed
    from relayline.contracts.runs import (
        Phase,
        RunError,
        RunInput,
        RunProgress,
        RunResult,
        RunStatus,
    )
    from relayline.workflows.facts import Ending
    from relayline.workflows.inbox import Stop
    from relayline.workflows.limits.budget import Budget
    from relayline.workflows.model_step import ModelStep
    from relayline.workflows.run import Run
    from relayline.workflows.state import count_misfits
    from relayline.workflows.submissions.start import begin
    from relayline.workflows.tools.step import ToolStep
    from relayline.workflows.turns.agent import pin_agent
    from relayline.workflows.turns.conversation import Conversation

_TAKES_UNDECODED = "takes-undecoded-signals"
"""Patch id: runs that met an undecodable signal before this patch continue without it."""


@workflow.defn
class AgentRun:
    """One agent run: call the model, then the tools it asks for, until it asks for none.

    Signals record intent and the loop acts on it. A signal accepts any payload; one that is no
    command is refused. Clients see a decision only after Temporal has committed it, because facts
    travel with the next activity. The run drains its inbox before it records the terminal fact,
    and applies nothing afterwards.
    """

    @workflow.init
    def __init__(self, run_input: RunInput) -> None:
        self._run = Run(run_input)
        self._budget = Budget(self._run, self._steer)

    @workflow.run
    async def run(self, run_input: RunInput) -> RunResult:
        """Run the agent to its end.

        Returns:
            The result of a run that completed or that a command cancelled.

        Raises:
            ApplicationError: the run failed, with the type and message of `run.failed`.
            CancelledError: Temporal was asked to cancel the workflow; `run.cancelled` is journaled.
        """
        self._run.watch_clock()
        cancelled = await begin(self._run)
        pin_agent(self._run)
        ending = cancelled or await self._act()
        self._run.clock.unwatch()
        return await self._end(ending)

    @workflow.query
    def progress(self) -> RunProgress:
        """The state of the run."""
        return self._run.state.progress(self._run.input)

    @workflow.signal
    def pause(self, *payloads: object) -> None:
        """Stop before the next model or tool call, or at once."""
        self._take(Pause, payloads)

    @workflow.signal
    def resume(self, *payloads: object) -> None:
        """Continue after a pause."""
        self._take(Resume, payloads)

    @workflow.signal
    def redirect(self, *payloads: object) -> None:
        """Send the model a message, at once or after this step."""
        self._take(Redirect, payloads)

    @workflow.signal
    def cancel(self, *payloads: object) -> None:
        """End the run and cancel running calls."""
        self._take(Cancel, payloads)

    @workflow.signal
    def decide(self, *payloads: object) -> None:
        """Approve or deny a request for approval."""
        self._take(Decide, payloads)

    @workflow.signal
    def answer(self, *payloads: object) -> None:
        """Answer a question of the run."""
        self._take(Answer, payloads)

    def _take(self, kind: type[AnyCommand], payloads: tuple[object, ...]) -> None:
        """Receive a signal with any payload."""
        undecoded = any(isinstance(payload, RawValue) for payload in payloads)
        if undecoded and not workflow.patched(_TAKES_UNDECODED):
            return  # the worker that met it first has dropped it
        self._run.receive(read_command(kind, payloads), payloads)

    @workflow.signal
    def message(self, *payloads: object) -> None:
        """Begin the next turn of an open run."""
        self._take(SendMessage, payloads)

    @workflow.signal
    def close(self, *payloads: object) -> None:
        """End an open run when its turn is over."""
        self._take(Close, payloads)

    @workflow.signal
    def child_report(self, *payloads: object) -> None:
        """Take note of what a run tells that this one has started."""
        self._run.children.receive(payloads)

    @workflow.signal(name=MOVE_SIGNAL)
    def move(self, *_: object) -> None:
        """Continue as new, on the build that new runs get, as soon as the run is idle."""
        self._run.moves = True

    async def _act(self) -> Ending:
        """Take the one turn of the run, or all of an open one."""
        if self._run.input.idle_s is None:
            return await self._turn()
        return await Conversation(self._run, self._turn, self._continue_as_new).hold()

    async def _turn(self) -> Ending:
        """Take steps until the turn ends."""
        run = self._run
        while True:
            ending = await self._between_steps()
            if ending:
                return ending
            answer = await ModelStep(run).run()
            if isinstance(answer, RunFailed):
                return answer
            if answer is None:
                continue
            calls = () if run.input.ends_at(run.state.step) else answer.calls
            ending = await self._steer(more=bool(calls), in_step=bool(calls))
            if calls:
                ending = await self._tool_step(calls)
            if ending:
                return ending
            if not calls and not run.steering.redirected:
                output = known_output(run.input.agent, answer.preview)
                return RunCompleted(output=output, usage=run.state.usage)

    async def _tool_step(self, calls: tuple[PlannedCall, ...]) -> Ending | None:
        """Run the tool calls of one answer if the budget allows; superseded ones end unrun."""
        await self._run.catch_up()
        if not self._run.steering.superseded:
            ending = await self._budget.afford(calls=len(calls))
            if isinstance(ending, RunFailed):
                self._end_unrun(calls, ending.error)
                return ending
        await ToolStep(self._run, calls).run()
        state = self._run.state
        if self._run.steering.stop >= Stop.REDIRECT or self._run.steering.superseded:
            state.misfits = 0  # the model has a new message
        elif error := count_misfits(state, len(calls)):
            state.last_error = error
            return RunFailed(error=error, usage=state.usage)
        return None

    def _end_unrun(self, calls: tuple[PlannedCall, ...], error: RunError) -> None:
        """End each call without starting it."""
        facts, step = self._run.facts, self._run.state.step
        self._run.pending.add(*(facts.tool_failed(call, step, error) for call in calls))

    async def _steer(self, *, more: bool = True, in_step: bool = False) -> Ending | None:
        """Act on every command in the inbox; while paused, wait for the next one.

        Args:
            more: False when nothing is left to run, so that a pause would have no effect.
            in_step: True when the step is not over.
        """
        run = self._run
        if not in_step:
            await run.catch_up()
        while True:
            run.acknowledge()
            ending = run.steering.act(more=more, in_step=in_step)
            if ending or not run.steering.paused:
                return ending
            run.show(Phase.PAUSED, busy=False)
            if not in_step:
                await self._continue_as_new()
            await run.until()

    async def _between_steps(self) -> Ending | None:
        """Act on commands and check the budget; the ending, if the run ends."""
        while True:
            ending = await self._steer() or await self._budget.afford()
            if ending:
                return ending
            await self._continue_as_new()
            if self._run.steering.inbox.empty:
                return None

    async def _continue_as_new(self) -> None:
        """Continue as new if the history is long and no command waits.

        With versioned workers, the new execution runs on the build that new runs get.
        """
        run = self._run
        if run.steering.messages.waiting or not run.should_continue_as_new():
            return
        while not run.pending.empty:
            await run.record("journal")
        if run.steering.inbox.empty and not run.was_reset:
            workflow.continue_as_new(
                run.input.continued(run.carried()),
                initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE,
            )

    async def _end(self, ending: Ending) -> RunResult:
        """Refuse the remaining commands, record the terminal fact, then return or raise."""
        run, state = self._run, self._run.state
        await run.catch_up()
        state.phase = Phase.ENDING
        run.acknowledge()
        run.steering.refuse_rest("run-ended")
        recorded_in: int | None = None
        while recorded_in != run.epoch:
            recorded_in = run.epoch
            run.pending.add(run.facts.end(state.step, ending, run.steering.ending_origin.proof))
            while not run.pending.empty:
                await run.record(ending.type)
        status = {RunCompleted: RunStatus.COMPLETED, RunFailed: RunStatus.FAILED}
        run.show_end(status.get(type(ending), RunStatus.CANCELLED))
        await workflow.wait_condition(workflow.all_handlers_finished)
        if isinstance(ending, RunFailed):
            raise ApplicationError(ending.error.message, type=ending.error.type, non_retryable=True)
        if isinstance(ending, RunCancelled) and workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError
        return RunResult(
            status=state.status, preview=state.preview, usage=state.usage, steps=state.step
        )
