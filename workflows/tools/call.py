"""One tool call: waits for a person, is ready, runs, and ends with one fact."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, CancelledError

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import CheckResult, PlannedCall, ToolOutcome
    from relayline.contracts.commands import Decide
    from relayline.contracts.envelope import NewEvent
    from relayline.contracts.errors import ErrorType
    from relayline.contracts.keys import approval_id, call_scope, outcome_id, request_id
    from relayline.contracts.runs import RunError
    from relayline.workflows.clock import Timer
    from relayline.workflows.dispatch import error_of, is_gone, is_unknown
    from relayline.workflows.facts import Facts
    from relayline.workflows.gates import NOBODY, Gate, Origin, Verdict, outcome
    from relayline.workflows.inbox import Stop
    from relayline.workflows.policy import CANCEL_BOUND
    from relayline.workflows.run import Run
    from relayline.workflows.state import MISFITS
    from relayline.workflows.tools.states import Asked, Ended, Ready, Running, State, Unknown
    from relayline.workflows.visibility import summary

_OUTCOME_UNKNOWN = "it was started and may or may not have run"


class ToolCallRun:
    """One call of a step; it ends with exactly one fact."""

    def __init__(self, run: Run, call: PlannedCall) -> None:
        self.call = call
        self.state: State = Ready()
        self._run = run
        self._step = run.state.step
        self._epoch = run.epoch
        self._facts = Facts(run.epoch)
        self._tool = call.tool_of(run.input.agent)
        self._approval_id: str | None = None
        self._runs = 0

    @property
    def ended(self) -> bool:
        """True once it has ended."""
        return isinstance(self.state, Ended)

    @property
    def running(self) -> bool:
        """True while its activity runs."""
        return isinstance(self.state, Running)

    @property
    def busy(self) -> bool:
        """True while an activity of it runs, whose end must come before a reset is recorded."""
        return self.running

    @property
    def works(self) -> bool:
        """True while it runs and waits for nobody."""
        return self.running

    @property
    def stopping(self) -> bool:
        """True from its cancellation to its end."""
        return isinstance(self.state, Running) and self.state.stop_bound is not None

    @property
    def ready(self) -> bool:
        """True when it can start, unless the run is paused."""
        return isinstance(self.state, Ready)

    @property
    def woken(self) -> bool:
        """True when a timer has fired or an activity has ended."""
        return isinstance(self.state, Asked | Running) and self.state.woken

    @property
    def _unsafe(self) -> bool:
        return self.call.unsafe or (self._tool is not None and self._tool.effects == "unsafe")

    def ask_first(self) -> None:
        """Open the gate if a person must approve the call or answer its question."""
        call, epoch = self.call, self._epoch
        if self.ended or self._tool is None:
            return
        if question := call.question:
            id_ = request_id(epoch, call.call_id)
            gate = Gate(id_, "question", call.preview, choices=question.choices)
            self._ask(gate, question.within_s)
        elif call.approval:
            id_ = approval_id(epoch, call.call_id)
            gate = Gate(id_, "approval", f"{call.name}({call.preview})")
            self._ask(gate, self._tool.approval_timeout_s)

    def enter_epoch(self, epoch: int) -> None:
        """After a reset, open its gate again under the new epoch; old decisions are void."""
        if isinstance(self.state, Running | Ended) or epoch == self._epoch:
            return
        self._epoch, self._facts = epoch, Facts(epoch)
        match self.state:
            case Unknown():
                self._ask_outcome()
            case Asked(gate=gate) as asked if not gate.verdict:
                self._run.steering.gates.forget(gate)
                asked.leave()
                if gate.kind == "outcome":
                    self._ask_outcome()
                else:
                    self.ask_first()

    def start(self) -> None:
        """Start its activity."""
        self.state = Running(
            self._run.dispatcher.start_tool(
                self._step, self.call, self._epoch, self._approval_id, self._runs
            )
        )

    def stop(self, level: Stop) -> None:
        """Cancel its activity, which then has `CANCEL_BOUND` to end; an unsafe one may finish."""
        if not isinstance(running := self.state, Running) or running.stop_bound:
            return
        steering, name = self._run.steering, self.call.name
        if self._unsafe and level < Stop.CANCEL:
            steering.let_finish(name)
            return
        self._run.dispatcher.stop(running.started.handle)
        running.stop_bound = Timer(CANCEL_BOUND, f"bound for {name} to stop")
        steering.cancelled.append(name)

    def withdraw(self, by: str, origin: Origin = NOBODY) -> None:
        """End it if it has not started, because a command superseded it."""
        verdict = Verdict("withdrawn", by, workflow.now(), origin=origin)
        match self.state:
            case Asked() as asked:
                self._run.steering.close(asked.gate, verdict)
                self._answered(asked, verdict)
            case Ready():
                self._end(self._facts.tool_stopped(self.call, self._step, verdict.at))

    async def collect(self) -> None:
        """Process the end of its activities."""
        match self.state:
            case Asked(gate=gate, check=check) as asked if gate.checking and check and check.done():
                asked.check = None
                await self._checked(gate, gate.checking, check)
            case Running() as running if running.started.handle.done():
                await self._returned(running)
            case Running(stopped_late=True):
                self._seal()
                self._end(self._facts.tool_stopped(self.call, self._step, None))

    def settle(self) -> None:
        """Continue if its gate was decided or has expired."""
        if not isinstance(asked := self.state, Asked):
            return
        gate = asked.gate
        if gate.verdict is None and asked.expiry and asked.expiry.fired:
            self._run.steering.close(gate, Verdict("expired", "", workflow.now()))
        if gate.verdict:
            self._answered(asked, gate.verdict)
        elif gate.checking and gate.checking.arguments is not None and self._tool:
            given = (self._tool, gate.checking.arguments, self.call.mcp)
            asked.check = asked.check or self._run.dispatcher.start_check(*given)

    def _ask(self, gate: Gate, within_s: float | None) -> None:
        """Open the gate."""
        expiry = None
        if within_s is not None:
            within = timedelta(seconds=within_s)
            gate.expires_at = workflow.now() + within
            expiry = Timer(within, summary(f"{gate.id} expires:", gate.what))
        self.state = Asked(self._run.steering.gates.open(gate), expiry)
        self._run.pending.add(self._request(gate))

    def _request(self, gate: Gate) -> NewEvent:
        return self._facts.requested(gate, self._step, self.call, self._tool)

    async def _checked(
        self, gate: Gate, command: Decide, check: workflow.ActivityHandle[CheckResult]
    ) -> None:
        """Apply the approval if the edited arguments are valid; otherwise refuse the command."""
        try:
            problem = (await check).problem
        except ActivityError as error:
            problem = str(error.cause or error)
        if problem is None:
            self._run.steering.decide(gate, command, workflow.now())
        else:
            gate.checking = None
            self._run.steering.refuse(command, f"arguments: {problem}")

    async def _returned(self, running: Running) -> None:
        """Record how the activity ended, if it has not done so itself."""
        try:
            outcome = await running.started.handle
        except ActivityError as error:
            self._seal()
            self._after_failure(running, error)
        else:
            self._run.pending.delivered(running.started.cargo)
            self._finished(outcome)

    def _finished(self, _: ToolOutcome) -> None:
        self._end()

    def _after_failure(self, running: Running, error: ActivityError) -> None:
        """End the call, run it again, or ask a person, depending on why its activity failed."""
        facts, cause, cancelled = self._facts, error.cause, running.stop_bound is not None
        if isinstance(cause, CancelledError):
            self._end(facts.tool_stopped(self.call, self._step, workflow.now()))
        elif cancelled and is_gone(cause):
            self._end(facts.tool_stopped(self.call, self._step, None))
        elif self._run.is_stale(error) and not (self._unsafe or cancelled):
            self._run_again()  # under a scope that the old attempt can't write to
        elif self._run.is_stale(error) or is_unknown(cause):
            running.leave()
            self._ask_outcome()
        else:
            reason = error_of(error, self._step, ErrorType.TOOL_TIMED_OUT)
            self._run.state.last_error = reason
            self._run.state.misfits += reason.type in MISFITS
            self._end(facts.tool_failed(self.call, self._step, reason))

    def _run_again(self) -> None:
        self.state = Ready()
        self._runs += 1

    def _ask_outcome(self) -> None:
        """Ask a person whether an unsafe tool has run, but first record a reset."""
        if self._run.was_reset:
            self.state = Unknown()
            return
        call = self.call
        what = (
            f"outcome unknown: {call.name}({call.preview}) was started and may or may not have "
            "run. Answer `happened: <result>`, `run it` (it did not happen) or `stop`."
        )
        id_ = outcome_id(self._epoch, call.call_id, self._runs + 1)
        self._ask(Gate(id_, "outcome", what), None)

    def _answered(self, asked: Asked, verdict: Verdict) -> None:
        """Continue or end the call after its gate was closed."""
        asked.leave()
        self.state = Ready()
        gate, facts, call, step = asked.gate, self._facts, self.call, self._step
        match gate.kind, verdict.how:
            case "approval", "approve":
                self._approval_id = gate.id
            case "question", "answered":
                self._end(facts.tool_answered(call, step, verdict.text))
            case "outcome", "answered":
                self._after_outcome(verdict)
            case "outcome", _:
                self._fail(ErrorType.OUTCOME_UNKNOWN, _OUTCOME_UNKNOWN)
            case _, "withdrawn":
                self._end(facts.tool_stopped(call, step, verdict.at))
            case "question", _:
                self._fail(ErrorType.NO_ANSWER, "nobody answered in time")
            case _:
                self._fail(ErrorType.APPROVAL_DENIED, _denial(verdict))

    def _after_outcome(self, verdict: Verdict) -> None:
        """Act on a person's answer about the outcome of an unsafe tool."""
        what, result = outcome(verdict.text) or ("stop", "")
        if what == "happened":
            output = result or "A person confirmed that it happened."
            self._end(self._facts.tool_answered(self.call, self._step, output))
        elif what == "run":
            self._run_again()
        else:
            self._fail(ErrorType.OUTCOME_UNKNOWN, _OUTCOME_UNKNOWN)
            why = f"the outcome of {self.call.name} is unknown"
            self._run.steering.stop_run(verdict.by, why, verdict.origin, turn_only=True)

    def _fail(self, kind: ErrorType, why: str) -> None:
        error = RunError(type=kind, message=why, step=self._step)
        self._end(self._facts.tool_failed(self.call, self._step, error))

    def _seal(self) -> None:
        self._run.pending.seal(call_scope(self._epoch, self.call.call_id, self._runs))

    def _end(self, *facts: NewEvent) -> None:
        """End the call with these facts, none if its activity has recorded the end."""
        if isinstance(self.state, Running):
            self.state.leave()
        self.state = Ended()
        self._run.pending.add(*facts)


def _denial(verdict: Verdict) -> str:
    """The error that the model sees for a denied call."""
    if verdict.how == "expired":
        return "nobody approved the call in time, so it did not run"
    by = f" by {verdict.by}" if verdict.by else ""
    note = f": {verdict.text}" if verdict.text else ""
    return f"the call was denied{by}{note}"
