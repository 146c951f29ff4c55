"""The tool calls of one answer: approved if required, run concurrently, cancelled on command."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import PlannedCall
    from relayline.contracts.runs import Phase
    from relayline.workflows.children.ask import call_run
    from relayline.workflows.inbox import Stop
    from relayline.workflows.run import Run
    from relayline.workflows.tools.call import ToolCallRun


class ToolStep:
    """Runs the tool calls of one answer."""

    def __init__(self, run: Run, calls: Sequence[PlannedCall]) -> None:
        self._run = run
        self._steering = run.steering
        self._calls = [call_run(run, call) for call in calls]
        self._stop_level = Stop.NOTHING

    async def run(self) -> None:
        """Run until every call has ended, or was cancelled and did not stop in `CANCEL_BOUND`."""
        self._begin()
        while True:
            await self._update()
            self._stop()
            if all(call.ended for call in self._calls):
                break
            if not any(call.busy or call.stopping for call in self._calls):
                self._steering.act(in_step=True)
            ready = self._ready()
            if ready and self._run.pending.overflows(len(ready)):
                await self._run.make_room(len(ready))
                continue
            self._start(ready)
            await self._run.until(self._woken, busy=any(call.busy for call in self._calls))
        self._run.state.running_tools = ()

    async def _update(self) -> None:
        """Process a reset, ended calls and new commands."""
        await self._catch_up()
        for call in self._calls:
            await call.collect()
        await self._catch_up()  # the last running call may have ended
        self._run.acknowledge()
        for call in self._calls:
            call.settle()

    async def _catch_up(self) -> None:
        """Record a reset once no call runs."""
        if self._reset_due:
            await self._run.catch_up()
        for call in self._calls:
            call.enter_epoch(self._run.epoch)

    def _begin(self) -> None:
        """Open the gates of the calls; if a command superseded them, end them unrun."""
        superseded = self._steering.superseded
        if not superseded:
            self._run.state.tool_calls += len(self._calls)
        for call in self._calls:
            if superseded:
                call.withdraw("")
            call.ask_first()

    @property
    def _reset_due(self) -> bool:
        return self._run.was_reset and not any(call.busy for call in self._calls)

    def _woken(self) -> bool:
        return self._run.stop > self._stop_level or any(call.woken for call in self._calls)

    def _stop(self) -> None:
        """Cancel running calls, and withdraw others, as the waiting commands require."""
        level = self._stop_level = self._run.stop
        if level is Stop.NOTHING:
            return
        for call in self._calls:
            call.stop(level)
        if level >= Stop.REDIRECT:
            for call in self._calls:
                call.withdraw(self._steering.stopped_by, self._steering.stopped_from)

    def _ready(self) -> list[ToolCallRun]:
        """Calls that can start: none in a pause, before a reset is recorded or while calls stop."""
        run = self._run
        held = self._steering.held or run.was_reset or run.stop is not Stop.NOTHING
        return [call for call in self._calls if call.ready and not held]

    def _start(self, ready: Sequence[ToolCallRun]) -> None:
        running = [call for call in self._calls if call.running or call in ready]
        self._run.state.running_tools = tuple(call.call.name for call in running)
        works = any(call.works or call in ready for call in self._calls)
        self._run.show(Phase.TOOLS if works else Phase.WAITING, busy=works)
        for call in ready:
            call.start()
