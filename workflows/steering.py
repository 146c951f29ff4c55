"""Acts on commands: the receipt, the outcome and the effect of each. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from relayline.contracts.commands import (
    Answer,
    AnyCommand,
    Cancel,
    CancelScope,
    Close,
    Decide,
    Decision,
    IfBusy,
    Pause,
    Redirect,
    Resume,
    SendMessage,
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
from relayline.workflows.turns.messages import Messages


class Steering:
    """Acts on the commands of one run.

    Each command gets `command.accepted` when it is read, and later one outcome: decisions and
    answers at once, the others when the run can act on them.
    """

    def __init__(
        self, state: RunState, pending: PendingFacts, facts: Facts, *, is_open: bool = False
    ) -> None:
        self.inbox = Inbox(takes_messages=is_open)
        self.messages = Messages(is_open)
        self.ends_turn_only = False
        """True when `ending` ends the turn, not the run."""
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
        self.tell: Callable[[Pause | Resume], str] = lambda _: ""
        """Tells the open runs below this one; gives a clause that names them."""
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
            elif isinstance(command, Close):
                self._close(command)
            elif isinstance(command, SendMessage) and not self._redirects(command):
                self._queue(command)
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
                case Redirect() | SendMessage():
                    self._redirect(command)
                case Pause() | Resume():
                    self._switch(command, more=more)
                case Decide() | Answer() | Close():
                    raise AssertionError("settled when it was read")
                case _:
                    assert_never(command)
        return self.ending

    def act_idle(self) -> RunCancelled | None:
        """Act on pending commands between two turns; the ending, if any."""
        while not self.ending and (command := self.inbox.take()):
            match command:
                case Cancel(scope=CancelScope.RUN):
                    self._cancel(command)
                case SendMessage():
                    self._queue(command)
                case _:
                    self.refuse(command, "idle: no turn runs")
        return self.ending

    def next_turn(self) -> SendMessage | None:
        """Begin the turn of the oldest message, and return that; None if none waits."""
        if not self.messages.waiting:
            return None
        command = self.messages.waiting.popleft()
        self._state.begin_turn()
        how = " with the agent of today" if command.agent else ""
        self._begin(command, f"turn {self._state.turn} begins{how}")
        return command

    def turn_over(self) -> None:
        """Forget what has ended the turn, and its pause."""
        self.ending, self.ending_origin, self.ends_turn_only = None, NOBODY, False
        self.redirected = self.paused = False
        self.cancelled, self.finishing = [], []

    def refuse_rest(self, reason: str) -> None:
        """Refuse all remaining commands."""
        while self.messages.waiting:
            self.refuse(self.messages.waiting.popleft(), reason)
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

    def apply(self, command: AnyCommand, what: str, turn: int | None = None) -> None:
        """Record that the command took effect."""
        self._pending.add(self._facts.applied(command, self._state.step, what, turn))

    def refuse(self, command: AnyCommand, reason: str) -> None:
        """Record that the command took no effect, and why."""
        self._pending.add(self._facts.refused(command, self._state.step, reason))

    def let_finish(self, what: str) -> None:
        """Note a call that keeps running despite a command; the outcome mentions it."""
        if what not in self.finishing:
            self.finishing.append(what)

    def stop_run(self, by: str, reason: str, origin: Origin, *, turn_only: bool = False) -> None:
        """End the run as `cancelled`; with `turn_only`, only the turn if the run is open."""
        self.ends_turn_only = turn_only and self.messages.is_open
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
        turn_only = self.messages.is_open and command.scope == CancelScope.TURN
        what = "turn" if turn_only else "run"
        self.apply(command, f"the {what} is cancelled{self._stopped_clause()}")
        self.stop_run(command.by, command.reason, origin_of(command), turn_only=turn_only)

    def _redirect(self, command: Redirect | SendMessage) -> None:
        kept = "; the run stays paused" if self.paused else ""
        self._begin(command, f"the next model call has the message{self._stopped_clause()}{kept}")
        self.redirected = True

    def _begin(self, command: Redirect | SendMessage, what: str) -> None:
        """Give the model the message, in the newest turn."""
        turn = self._state.turn if self.messages.is_open else None
        self.apply(command, what, turn)
        self._pending.add(self._facts.message(command, turn))

    def _redirects(self, command: SendMessage) -> bool:
        """True if a running turn must answer the message."""
        runs = self.inbox.takes_messages and self._state.turn_status is None
        return runs and command.if_busy == IfBusy.REDIRECT

    def _queue(self, command: SendMessage) -> None:
        """Have the message wait for a turn of its own."""
        if reason := self.messages.refusal(command, self._state):
            self.refuse(command, reason)
        else:
            self.messages.waiting.append(command)

    def _close(self, command: Close) -> None:
        if reason := self.messages.refusal(command, self._state):
            self.refuse(command, reason)
        else:
            self.messages.closing, self.inbox.takes_messages = True, False
            self.apply(command, "the run ends when its turn is over")

    def _switch(self, command: Pause | Resume, *, more: bool) -> None:
        pause = isinstance(command, Pause)
        if pause is self.paused:
            self.refuse(command, "already paused" if pause else "not paused")
        elif pause and not more:
            self.refuse(command, "run-ending: nothing is left to pause")
        else:
            self.paused = pause
            what = f"stopped before the next call{self._stopped_clause()}" if pause else "continued"
            self.apply(command, what + self.tell(command))
            self._pending.add(self._facts.switched(command, self._state.step))

    def _stopped_clause(self) -> str:
        """`; cancelled: …; allowed to finish: …`, each name once."""
        parts = {"cancelled": self.cancelled, "allowed to finish": self.finishing}
        clauses = [f"; {what}: {', '.join(names)}" for what, names in parts.items() if names]
        self.cancelled, self.finishing = [], []
        return "".join(clauses)
