"""One call of another agent: a run below this one, whose answer is the call's result."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import (
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutError,  # noqa: A004  Temporal's
    WorkflowAlreadyStartedError,
)

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import PlannedCall, ToolOutcome
    from relayline.contracts.commands import Cancel
    from relayline.contracts.events import RunCancelled
    from relayline.contracts.family.asking import ChildEnd
    from relayline.contracts.keys import child_ended_key, result_key
    from relayline.contracts.runs import AgentSpec, RunInput, RunStatus
    from relayline.workflows.children import starting
    from relayline.workflows.children.child import Child, cancel_all
    from relayline.workflows.clock import Timer
    from relayline.workflows.dispatch import ToolStarted
    from relayline.workflows.facts import Facts
    from relayline.workflows.inbox import Stop
    from relayline.workflows.limits.excess import spent
    from relayline.workflows.policy import CHILD_BOUND
    from relayline.workflows.run import Run
    from relayline.workflows.steering import Steering
    from relayline.workflows.tools.call import ToolCallRun
    from relayline.workflows.tools.served import ServedCallRun
    from relayline.workflows.tools.states import Running


_ENDS_ALONE = "ends-children-alone"
"""Patch id: calls of runs that started before may end while a reset is recorded."""


class ChildCallRun(ToolCallRun):
    """A call that starts a run of another agent and ends with it."""

    def __init__(self, run: Run, call: PlannedCall, agent: AgentSpec) -> None:
        super().__init__(run, call)
        self._agent = agent
        self._child: Child | None = None
        self._begun_in = self._epoch
        """The epoch of the key of its end, as of every call."""
        self._ending = False
        """True while its end is being journaled; a reset would make void what is not known yet."""

    @property
    def busy(self) -> bool:
        """True while one of its activities runs; an open run holds up nothing."""
        begun = self._child and self._child.started
        return self.running and (self._ending or not begun)

    @property
    def works(self) -> bool:
        """False also while it is paused with its parent, or waits for a person."""
        child = self._child
        return self.running and not (
            self._run.steering.paused or (child and child.report.waiting_for)
        )

    @property
    def woken(self) -> bool:
        """True also when the run has started or has told something."""
        return super().woken or bool(self.running and self._child and self._child.news)

    def enter_epoch(self, epoch: int) -> None:
        """After a reset, keep an open run: its end counts in the new epoch."""
        if isinstance(self.state, Running) and epoch != self._epoch:
            self._epoch, self._facts = epoch, Facts(epoch)
        super().enter_epoch(epoch)

    def start(self) -> None:
        """Have the run journaled, and then start it."""
        self._ending, self._begun_in = False, self._epoch
        run = self._run
        given = starting.child_input(run, self.call, self._agent, self._epoch)
        self._child = child = Child(given.run_id)
        run.children.add(child)
        result = result_key(self._epoch, self.call.call_id)
        run.pending.known.extend((child_ended_key(child.run_id), result))
        begun = starting.begin(run, self.call, given, self._epoch, self._approval_id)
        asking = asyncio.create_task(self._run_child(child, given, begun))
        self.state = Running(ToolStarted(asking, begun.cargo))

    def stop(self, level: Stop) -> None:
        """Cancel the run, which then has `CHILD_BOUND` to end; a pause does not cancel it."""
        if level >= Stop.REDIRECT:
            self._cancel(self._run.steering.stopped_by, _reason(self._run.steering, level))

    async def collect(self) -> None:
        """Process what it has told; where the budget is used up, the run is cancelled."""
        if self._child and self.running:
            self._child.news = False
            if excess := spent(self._run.state):
                self._cancel("", f"its parent's {excess.message}")
        await super().collect()
        if self._child and not self.running:
            self._run.children.end(self._child, self._child.report.usage)
            self._child = None

    def _cancel(self, by: str, reason: str) -> None:
        running, child = self.state, self._child
        if isinstance(running, Running) and child and not running.stop_bound:
            child.stop(by, reason)
            running.stop_bound = Timer(CHILD_BOUND, f"bound for {self.call.name} to stop")
            self._run.steering.cancelled.append(self.call.name)

    async def _run_child(
        self, child: Child, given: RunInput, begun: starting.Beginning
    ) -> ToolOutcome:
        """Start the run, wait for its end, and journal that.

        Raises:
            ActivityError: the journal refuses the run, or its end.
            WorkflowAlreadyStartedError: it was started before an operator's reset.
        """
        message = (await starting.begun(begun)).message
        self._run.pending.delivered(begun.cargo)
        handle = await starting.start(given.model_copy(update={"input": message}))
        child.has_started(handle)
        try:
            result = await handle
        except ChildWorkflowError as error:
            return await self._end_child(child, _status_of(error))
        return await self._end_child(child, result.status)

    async def _end_child(self, child: Child, status: RunStatus) -> ToolOutcome:
        child.report = child.report.model_copy(update={"waiting_for": ()})
        if alone := workflow.patched(_ENDS_ALONE):
            await workflow.wait_condition(lambda: not self._run.was_reset)
        self._ending = alone
        outcome = await starting.end(
            ChildEnd(
                run_id=self._run.input.run_id,
                epoch=self._begun_in if alone else self._epoch,
                step=self._step,
                call_id=self.call.call_id,
                name=self.call.name,
                child_id=child.run_id,
                agent=self._agent.name,
                status=status,
                stopped=child.stopped,
                usage=child.report.usage,
            )
        )
        child.report = child.report.model_copy(update={"usage": outcome.usage})
        return outcome

    async def _returned(self, running: Running) -> None:
        """Start another run if this one had begun before a reset; that one is cancelled."""
        asking, child = running.started.handle, self._child
        if child and isinstance(asking.exception(), WorkflowAlreadyStartedError):
            await cancel_all((child.run_id,))
            self._run.children.leave(child, self.call.call_id)
            running.leave()
            self._run_again()
        else:
            await super()._returned(running)


def call_run(run: Run, call: PlannedCall) -> ToolCallRun:
    """The call as a run of the agent that it asks, or as a tool."""
    if call.mcp:
        return ServedCallRun(run, call, call.mcp)
    tool = run.input.agent.tool(call.name)
    agent = run.input.agents.get(tool.agent) if tool and tool.agent else None
    return ChildCallRun(run, call, agent) if agent else ToolCallRun(run, call)


def _reason(steering: Steering, level: Stop) -> str:
    """Why the run is cancelled: for the reason for which its parent is, if that has one."""
    if level is Stop.REDIRECT:
        return "redirected"
    if steering.stop < level:
        return "its parent is out of time"
    cause = steering.ending or steering.inbox.stopped_by
    reason = cause.reason if isinstance(cause, Cancel | RunCancelled) else ""
    return reason or "cancelled with its parent"


def _status_of(error: ChildWorkflowError) -> RunStatus:
    match error.cause:
        case CancelledError():
            return RunStatus.CANCELLED
        case TerminatedError():
            return RunStatus.TERMINATED
        case TimeoutError():
            return RunStatus.TIMED_OUT
        case _:
            return RunStatus.FAILED
