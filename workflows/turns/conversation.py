"""The turns of an open run, and the time between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import known_output
    from relayline.contracts.errors import ErrorType
    from relayline.contracts.events import RunCancelled, RunCompleted, RunFailed
    from relayline.contracts.runs import Phase, TurnStatus
    from relayline.workflows.clock import Timer
    from relayline.workflows.facts import Ending
    from relayline.workflows.run import Run
    from relayline.workflows.turns.agent import take_agent
    from relayline.workflows.turns.messages import turn_completed

_FATAL = frozenset({ErrorType.JOURNAL_INCOMPLETE, ErrorType.UNSTORABLE, ErrorType.RUN_ENDED})
"""Errors that end the run, not only its turn."""


class Conversation:
    """Takes turn after turn, until the run is closed, cancelled, or idle for too long.

    Each message that the run accepts begins one turn or joins one, or is refused. An idle run has
    one timer, the one that ends it.
    """

    def __init__(
        self,
        run: Run,
        take_turn: Callable[[], Awaitable[Ending]],
        continue_as_new: Callable[[], Awaitable[None]],
    ) -> None:
        """Create the conversation of that run.

        Args:
            run: An open run.
            take_turn: Takes one turn; how it ends.
            continue_as_new: Continues as new if the history is long.
        """
        self._run = run
        self._take_turn = take_turn
        self._continue_as_new = continue_as_new

    async def hold(self) -> Ending:
        """Take turns until the run ends; how it ends."""
        while True:
            if not self._run.idle:
                ending = await self._take_turn()
                if self._end_turn(ending):
                    return ending
            if over := await self._until_message():
                return over

    def _end_turn(self, ending: Ending) -> bool:
        """Record how the turn has ended; True if the run ends with it."""
        run, state, steering = self._run, self._run.state, self._run.steering
        run.clock.unwatch()
        statuses: dict[type[Ending], TurnStatus] = {
            RunCompleted: "completed",
            RunFailed: "failed",
            RunCancelled: "cancelled",
        }
        state.turn_status, state.turn_ended_at = statuses[type(ending)], workflow.now()
        run.pending.add(turn_completed(run.epoch, run.input.agent, state))
        if isinstance(ending, RunCancelled) and not steering.ends_turn_only:
            return True
        steering.turn_over()
        return isinstance(ending, RunFailed) and ending.error.type in _FATAL

    async def _until_message(self) -> Ending | None:
        """Wait until the next turn begins; the ending if the run ends first."""
        run, steering = self._run, self._run.steering
        expiry = Timer(self._left(), "until the idle run ends")
        try:
            while True:
                await run.catch_up()
                run.acknowledge()
                if ending := steering.act_idle():
                    return ending
                if command := steering.next_turn():
                    take_agent(run, command)
                    run.clock.restart(workflow.now())
                    run.watch_clock()
                    return None
                if steering.messages.closing or expiry.fired:
                    state = run.state
                    output = known_output(run.input.agent, state.preview)
                    return RunCompleted(output=output, usage=state.usage)
                run.show(Phase.IDLE, busy=False)
                await self._continue_as_new()
                await run.until(lambda: run.must_move, timer=expiry)
        finally:
            expiry.stop()

    def _left(self) -> timedelta:
        """How long the run may still be idle."""
        run, now = self._run, workflow.now()
        idle = now - (run.state.turn_ended_at or now)
        return max(timedelta(seconds=run.input.idle_s or 0) - idle, timedelta())
