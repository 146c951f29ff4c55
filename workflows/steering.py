"""What each command comes to: its receipt, its outcome, what it changes. Pure."""

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
from relayline.workflows.gates import Gate, Gates, Verdict, decided
from relayline.workflows.inbox import Inbox, Stop
from relayline.workflows.outbox import PendingFacts
from relayline.workflows.state import Excess, RunState, more_of, raised


class Steering:
    """Acts on the commands of one run.

    Each command gets `command.accepted` as soon as it is seen and then one outcome: decisions and
    answers at once, the others where the run can act on them.
    """

    def __init__(self, state: RunState, pending: PendingFacts, facts: Facts) -> None:
        self.inbox = Inbox()
        self.gates = Gates()
        self.paused = False
        self.ending: RunCancelled | None = None
        """Set when a command has ended the run."""
        self.redirected = False
        """Set when a redirect has given the model something new to answer."""
        self.stopped: list[str] = []
        """What was told to stop since the last command that wanted it."""
        self.let_finish: list[str] = []
        """What was let finish since then, because its effects are unsafe."""
        self._state = state
        self._pending = pending
        self._facts = facts

    @property
    def stop(self) -> Stop:
        """How much of what runs has to stop."""
        return Stop.CANCEL if self.ending else self.inbox.stop

    @property
    def stopper(self) -> str:
        """Who wants what has not begun to end; empty when nobody said so."""
        if self.ending:
            return self.ending.by or ""
        wants = self.inbox.stop >= Stop.REDIRECT and self.inbox.stopper
        return wants.by if wants else ""

    @property
    def moot(self) -> bool:
        """True when a command has made the calls that have not begun pointless."""
        return self.redirected or self.ending is not None

    @property
    def holds(self) -> bool:
        """True when no further call may begin for now."""
        return self.inbox.pauses(paused=self.paused)

    def note(self, now: datetime) -> None:
        """Acknowledge what has come in; settle at once what waits for nothing."""
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
        """Act on what waits, oldest first, where nothing runs; how the run ends if it does.

        Args:
            more: False when nothing is left to run: then a pause has nothing to stop.
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
        """Refuse whatever is left."""
        while command := self.inbox.take():
            self.refuse(command, reason)

    def close(self, gate: Gate, verdict: Verdict) -> None:
        """End an approval or a question."""
        overtaken, gate.checking = gate.checking, None
        gate.verdict = verdict
        self._pending.add(self._facts.resolved(gate, verdict))
        if overtaken:
            self.refuse(overtaken, verdict.of(gate.id))

    def decide(self, gate: Gate, command: Decide, now: datetime) -> None:
        """Close an approval as the command says."""
        verdict = decided(command, now)
        gate.checking = None
        self.close(gate, verdict)
        changed = " with other arguments" if command.arguments is not None else ""
        self.apply(command, f"{verdict.how}: {gate.what}{changed}")

    def apply(self, command: AnyCommand, what: str) -> None:
        """The command took effect."""
        self._pending.add(self._facts.applied(command, self._state.step, what))

    def refuse(self, command: AnyCommand, reason: str) -> None:
        """The command took no effect."""
        self._pending.add(self._facts.refused(command, self._state.step, reason))

    def lets_finish(self, what: str) -> None:
        """Something goes on although a command would have it stop; said when that is applied."""
        if what not in self.let_finish:
            self.let_finish.append(what)

    def stop_run(self, by: str, reason: str) -> None:
        """End the run as `cancelled`."""
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
        wanted = command.arguments or {"raise_to": more_of(excess)}
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
        self.close(gate, Verdict("answered", command.by, now, command.text))
        self.apply(command, f"answered: {gate.what}")

    def _cancel(self, command: Cancel) -> None:
        self.apply(command, f"the run is cancelled{self._told()}")
        self.stop_run(command.by, command.reason)

    def _redirect(self, command: Redirect) -> None:
        kept = "; the run stays paused" if self.paused else ""
        self.apply(command, f"the next model call has the message{self._told()}{kept}")
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
            what = f"stopped before the next call{self._told()}" if pause else "went on"
            self.apply(command, what)
            self._pending.add(self._facts.switched(command, self._state.step))

    def _told(self) -> str:
        """`; told to stop: …; let finish: …`, said once."""
        parts = {"told to stop": self.stopped, "let finish": self.let_finish}
        said = [f"; {what}: {', '.join(names)}" for what, names in parts.items() if names]
        self.stopped, self.let_finish = [], []
        return "".join(said)
