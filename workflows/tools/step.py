"""The tool calls of one answer: approved where that is asked for, run side by side, stopped."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import PlannedCall
    from relayline.contracts.runs import Phase
    from relayline.workflows.inbox import Stop
    from relayline.workflows.run import RunContext
    from relayline.workflows.tools.call import ToolCallRun


class ToolStep:
    """The tool calls of one answer."""

    def __init__(self, context: RunContext, calls: Sequence[PlannedCall]) -> None:
        self._run = context
        self._steering = context.steering
        self._calls = [ToolCallRun(context, call) for call in calls]
        self._acted = Stop.NOTHING

    async def run(self) -> None:
        """Return when every call has ended, or was told to stop and had its time for that."""
        self._begin()
        while True:
            await self._take_note()
            self._stop()
            if all(call.ended for call in self._calls):
                break
            if not any(call.running for call in self._calls):
                self._steering.act(in_step=True)
            ready = self._ready()
            if ready and self._run.pending.too_much(len(ready)):
                await self._run.make_room(len(ready))
                continue
            self._start(ready)
            self._run.calls.record_soon()
            await self._run.wait(self._stirred)
        self._run.state.running_tools = ()

    async def _take_note(self) -> None:
        """Of a reset, of what has ended, of what has come in."""
        await self._catch_up()
        for call in self._calls:
            await call.collect()
        await self._catch_up()  # what has ended may have been the last that ran
        self._run.note()
        for call in self._calls:
            call.settle()

    async def _catch_up(self) -> None:
        """Have a reset recorded where nothing runs."""
        if self._reset_at_rest:
            await self._run.catch_up()
        for call in self._calls:
            call.go_on_in(self._run.epoch)

    def _begin(self) -> None:
        """Ask whom the calls need first; after a redirect or a cancel none of them begins."""
        moot = self._steering.moot
        if not moot:
            self._run.state.tool_calls += len(self._calls)
        for call in self._calls:
            if moot:
                call.withdraw("")
            call.ask_first()

    @property
    def _reset_at_rest(self) -> bool:
        return self._run.was_reset and not any(call.running for call in self._calls)

    def _stirred(self) -> bool:
        return (
            self._reset_at_rest
            or self._steering.inbox.unread
            or self._run.stop > self._acted
            or any(call.stirred for call in self._calls)
        )

    def _stop(self) -> None:
        """Tell what runs to stop, as far as the commands that wait want that."""
        level = self._acted = self._run.stop
        if level is Stop.NOTHING:
            return
        for call in self._calls:
            call.stop(level)
        if level >= Stop.REDIRECT:
            for call in self._calls:
                call.withdraw(self._steering.stopper)

    def _ready(self) -> list[ToolCallRun]:
        """What can start: nothing in a pause, before a reset is recorded, while something stops."""
        run = self._run
        held = self._steering.holds or run.was_reset or run.stop is not Stop.NOTHING
        return [call for call in self._calls if call.ready and not held]

    def _start(self, ready: Sequence[ToolCallRun]) -> None:
        running = [call for call in self._calls if call.running or call in ready]
        self._run.state.running_tools = tuple(call.call.name for call in running)
        self._run.show(Phase.TOOLS if running else Phase.WAITING, busy=bool(running))
        for call in ready:
            call.start()
