"""The budget of a run: checks the limits, and asks a person to raise one."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.errors import ErrorType
    from relayline.contracts.events import RunFailed
    from relayline.contracts.keys import budget_id
    from relayline.contracts.runs import Phase, RunError
    from relayline.workflows.clock import Timer
    from relayline.workflows.facts import Ending
    from relayline.workflows.gates import Gate, Verdict
    from relayline.workflows.limits.excess import Excess, exceeded, overdue
    from relayline.workflows.policy import RAISE_TIMEOUT
    from relayline.workflows.run import Run
    from relayline.workflows.visibility import summary


class Steer(Protocol):
    """Acts on every command in the inbox; while paused, waits for the next one."""

    def __call__(self, *, in_step: bool) -> Awaitable[Ending | None]:
        """The ending, if the run ends."""
        ...


class Budget:
    """Enforces the limits of one run."""

    def __init__(self, run: Run, steer: Steer) -> None:
        self._run = run
        self._steer = steer

    async def afford(self, *, calls: int = 0) -> Ending | None:
        """Wait until the budget allows the next calls; the ending if it never does."""
        run, state = self._run, self._run.state
        while excess := self._excess(calls):
            state.budgets += 1
            run.pending.add(run.facts.budget(state.budgets, state.step, excess))
            if state.limits.on_limit == "fail":
                return self._exceeded(excess)
            ending = await self._ask_for(excess, in_step=bool(calls))
            ending = ending or await self._steer(in_step=bool(calls))
            if ending or (run.steering.redirected and calls):
                return ending
        return None

    def _excess(self, calls: int) -> Excess | None:
        """The first limit that does not allow the next calls."""
        if self._run.clock.overdue:
            return overdue(self._run.state.limits)
        return exceeded(self._run.state, calls=calls)

    async def _ask_for(self, excess: Excess, *, in_step: bool) -> Ending | None:
        """Wait until a person raises a limit; the ending if nobody does.

        Args:
            excess: The limit.
            in_step: True when tool calls wait for it; a redirect supersedes them.
        """
        run = self._run
        gate, expiry = self._open(excess)
        ending = None
        while gate.verdict is None:
            run.show(Phase.WAITING, busy=False)
            epoch = run.epoch
            await run.until(timer=expiry)
            if run.epoch != epoch:
                run.steering.gates.forget(gate)
                expiry.stop()
                gate, expiry = self._open(excess)
            run.acknowledge()
            by, origin = run.steering.stopped_by, run.steering.stopped_from
            ending = run.steering.act(in_step=in_step)
            superseded = ending or (in_step and run.steering.redirected)
            if not gate.verdict and (superseded or expiry.fired):
                how = Verdict("withdrawn", by, workflow.now(), origin=origin)
                expired = Verdict("expired", "", workflow.now())
                run.steering.close(gate, how if superseded else expired)
        expiry.stop()
        if gate.verdict.how == "approve":
            run.clock.overdue = False
        elif gate.verdict.how != "withdrawn" and not ending:
            return self._exceeded(excess)
        return ending

    def _open(self, excess: Excess) -> tuple[Gate, Timer]:
        """Ask a person to raise the limit within `RAISE_TIMEOUT`."""
        run = self._run
        gate = Gate(
            budget_id(run.epoch, run.state.budgets),
            "budget",
            f"{excess.message}; approve to continue",
            expires_at=workflow.now() + RAISE_TIMEOUT,
            excess=excess,
        )
        run.steering.gates.open(gate)
        run.pending.add(run.facts.raise_requested(gate, run.state.step, excess))
        return gate, Timer(RAISE_TIMEOUT, summary(f"{gate.id} expires:", gate.what))

    def _exceeded(self, excess: Excess) -> RunFailed:
        """The ending of a run that has used up its budget."""
        state = self._run.state
        state.last_error = RunError(
            type=ErrorType.BUDGET_EXCEEDED, message=excess.message, step=state.step
        )
        return RunFailed(error=state.last_error, usage=state.usage)
