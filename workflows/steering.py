"""Acts on commands: the receipt, the outcome and the effect of each. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from relayline.contracts.commands import (
    Answer,
    AnyCommand,
    Cancel,
    Decide,
    Decision,
    Pause,
    Redirect,
    Resume,
    complaint,
)
from relayline.contracts.events import RunCancelled
from relayline.workflows.facts import Facts
from relayline.workflows.gates import (
    NOBODY,
    Gate,
    Gates,
    Origin,
    Verdict,
    decided,
    origin_of,
)
from relayline.workflows.inbox import Inbox, Stop
from relayline.workflows.limits.excess import Excess, raised, suggested_limit
from relayline.workflows.outbox import PendingFacts
from relayline.workflows.state import RunState


class Steering:
    """Acts on the commands of one run.

    Each command gets `command.accepted` when it is read, and later one outcome: decisions and
    answers at once, the others when the run can act on them.
    """

    def __init__(self, state: RunState, pending: PendingFacts, facts: Facts) -> None:
        self.inbox = Inbox()
        self.gates = Gates()
        self.paused = False
        self.ending: RunCancelled | None = None
        """Set when a command has ended the run."""
        self.ending_origin = NOBODY
        """Where that command came from."""
        self.redirected = False
        """Set when a redirect has added a message for the model."""
        self.cancelled: list[str] = []
        """Names of calls cancelled since the last command was applied."""
        self.finishing: list[str] = []
        """Names of unsafe calls that were allowed to finish since then."""
        self._state = state
        self._pending = pending
        self._facts = facts

    @property
    def stop(self) -> Stop:
        """How much of the running work must stop."""
        return Stop.CANCEL if self.ending else self.inbox.stop

    @property
    def stopped_by(self) -> str:
        """Who sent the command that withdraws calls not yet started; empty if nobody did."""
        if self.ending:
            return self.ending.by or ""
        command = self._superseding
        return command.by if command else ""

    @property
    def stopped_from(self) -> Origin:
        """Where that command came from."""
        command = self._superseding
        return origin_of(command) if command and not self.ending else self.ending_origin

    @property
    def _superseding(self) -> AnyCommand | None:
        return self.inbox.stopped_by if self.inbox.stop >= Stop.REDIRECT else None

    @property
    def superseded(self) -> bool:
        """True when a command has superseded the calls that have not started."""
        return self.redirected or self.ending is not None

    @property
    def held(self) -> bool:
        """True when the run is paused or about to be: no further call may start."""
        return self.inbox.pauses(paused=self.paused)

    def acknowledge(self, now: datetime) -> None:
        """Acknowledge new commands; settle decisions, answers and invalid commands at once."""
        while command := self.inbox.read():
            self._pending.add(self._facts.accepted(command))
            if problem := complaint(command):
                self.refuse(command, problem)
            elif isinstance(command, Decide):
                self._decide(command, now)
            elif isinstance(command, Answer):
                self._answer(command, now)
            else:
                self.inbox.keep(command)

    def act(self, *, more: bool = True, in_step: bool = False) -> RunCancelled | None:
        """Act on pending commands, oldest first, while nothing runs; the ending, if any.

        Args:
            more: False when nothing is left to run, so that a pause would have no effect.
            in_step: True when the step is not over.
        """
        more = more or self.redirected or self.inbox.redirects
        while not self.ending and (command := self.inbox.take(in_step=in_step)):
            match command:
                case Cancel():
                    self._cancel(command)
                case Redirect():
                    self._redirect(command)
                case Pause() | Resume():
                    self._switch(command, more=more)
                case Decide() | Answer():
                    raise AssertionError("settled when it was read")
                case _:
                    assert_never(command)
        return self.ending

    def refuse_rest(self, reason: str) -> None:
        """Refuse all remaining commands."""
        while command := self.inbox.take():
            self.refuse(command, reason)

    def close(self, gate: Gate, verdict: Verdict) -> None:
        """Close an approval or a question."""
        superseded, gate.checking = gate.checking, None
        gate.verdict = verdict
        self._pending.add(self._facts.resolved(gate, verdict))
        if superseded:
            self.refuse(superseded, verdict.of(gate.id))

    def decide(self, gate: Gate, command: Decide, now: datetime) -> None:
        """Close an approval with the command's decision."""
        verdict = decided(command, now)
        gate.checking = None
        self.close(gate, verdict)
        changed = " with other arguments" if command.arguments is not None else ""
        self.apply(command, f"{verdict.how}: {gate.what}{changed}")

    def apply(self, command: AnyCommand, what: str) -> None:
        """Record that the command took effect."""
        self._pending.add(self._facts.applied(command, self._state.step, what))

    def refuse(self, command: AnyCommand, reason: str) -> None:
        """Record that the command took no effect, and why."""
        self._pending.add(self._facts.refused(command, self._state.step, reason))

    def let_finish(self, what: str) -> None:
        """Note a call that keeps running despite a command; the outcome mentions it."""
        if what not in self.finishing:
            self.finishing.append(what)

    def stop_run(self, by: str, reason: str, origin: Origin) -> None:
        """End the run as `cancelled`."""
        self.ending_origin = origin
        self.ending = RunCancelled(reason=reason, by=by, usage=self._state.usage)

    def _decide(self, command: Decide, now: datetime) -> None:
        gate = self.gates.for_decision(command)
        if isinstance(gate, str):
            self.refuse(command, gate)
        elif gate.excess and command.decision == Decision.APPROVE:
            self._raise(gate, gate.excess, command, now)
        elif command.arguments is not None:
            gate.checking = command
        else:
            self.decide(gate, command, now)

    def _raise(self, gate: Gate, excess: Excess, command: Decide, now: datetime) -> None:
        """Approve a higher limit."""
        wanted = command.arguments or {"raise_to": suggested_limit(excess)}
        limits = raised(self._state.limits, excess, wanted)
        if isinstance(limits, str):
            self.refuse(command, limits)
        else:
            self._state.limits = limits
            self.decide(gate, command, now)

    def _answer(self, command: Answer, now: datetime) -> None:
        gate = self.gates.for_answer(command)
        if isinstance(gate, str):
            self.refuse(command, gate)
            return
        names = (command.on_behalf_of, origin_of(command))
        self.close(gate, Verdict("answered", command.by, now, command.text, None, *names))
        self.apply(command, f"answered: {gate.what}")

    def _cancel(self, command: Cancel) -> None:
        self.apply(command, f"the run is cancelled{self._stopped_clause()}")
        self.stop_run(command.by, command.reason, origin_of(command))

    def _redirect(self, command: Redirect) -> None:
        kept = "; the run stays paused" if self.paused else ""
        self.apply(command, f"the next model call has the message{self._stopped_clause()}{kept}")
        self._pending.add(self._facts.message(command))
        self.redirected = True

    def _switch(self, command: Pause | Resume, *, more: bool) -> None:
        pause = isinstance(command, Pause)
        if pause is self.paused:
            self.refuse(command, "already paused" if pause else "not paused")
        elif pause and not more:
            self.refuse(command, "run-ending: nothing is left to pause")
        else:
            self.paused = pause
            what = f"stopped before the next call{self._stopped_clause()}" if pause else "continued"
            self.apply(command, what)
            self._pending.add(self._facts.switched(command, self._state.step))

    def _stopped_clause(self) -> str:
        """`; cancelled: …; allowed to finish: …`, each name once."""
        parts = {"cancelled": self.cancelled, "allowed to finish": self.finishing}
        clauses = [f"; {what}: {', '.join(names)}" for what, names in parts.items() if names]
        self.cancelled, self.finishing = [], []
        return "".join(clauses)
