"""The steps of a run as far as a fork must know them: where each begins, what has ended. Pure.

Folded page by page, so that a long run is never held whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from relayline.contracts.events import TERMINAL_TYPES, MessageCompleted
from relayline.projections.projection import Event, body_of, data_of
from relayline.projections.valid import REWOUND, rewound_to

_STARTED, _ANSWER, _USER = "step.started", "message.completed", "message.user"
_TURN_OVER = "turn.completed"
_ANSWERS = frozenset({_ANSWER, "message.interrupted"})
_RESULTS = frozenset({"tool.completed", "tool.failed", "tool.cancelled", "tool.abandoned"})
_SPOKEN = frozenset({_USER, "output.rejected", *_ANSWERS})
_MARKED = frozenset({_STARTED, _TURN_OVER, REWOUND, *_SPOKEN, *_RESULTS, *TERMINAL_TYPES})


@dataclass(frozen=True)
class Mark:
    """A fact, without its content."""

    seq: int
    type: str
    step: int
    turn: int
    calls: tuple[str, ...] = ()
    """The calls that an answer asks for, or the one that a result ends."""


@dataclass(frozen=True)
class Outline:
    """The facts that count, each as a mark, in order."""

    seq: int = 0
    """The newest fact of any type."""
    marks: tuple[Mark, ...] = field(default=(), repr=False)

    def added(self, events: Iterable[Event]) -> Outline:
        """This with further facts, in order."""
        marks, seq = [*self.marks], self.seq
        for event in events:
            seq = max(seq, event.seq)
            if event.type == REWOUND:
                last = rewound_to(event)
                marks = [mark for mark in marks if mark.seq <= last]
            elif event.type in _MARKED:
                marks.append(_mark(event))
        return replace(self, seq=seq, marks=tuple(marks))

    @property
    def begins(self) -> Mapping[int, int]:
        """`seq` of the first fact of each step."""
        found: dict[int, int] = {}
        for mark in self.marks:
            if mark.step and (mark.type == _STARTED or mark.type in _ANSWERS):
                found.setdefault(mark.step, mark.seq)
        return found

    @property
    def ended(self) -> bool:
        """True once the run has its terminal fact."""
        return any(mark.type in TERMINAL_TYPES for mark in self.marks)

    @property
    def next_step(self) -> int:
        """The newest step from which a fork can begin: all before it has ended.

        It is one more than the last, unless that has no answer, or runs tools still.
        """
        last = max(self.begins, default=0)
        if not last:
            return 1
        answers = [it for it in self.marks if it.step == last and it.type in _ANSWERS]
        if not answers:
            return last
        open_calls = set(answers[-1].calls) - self.results(self.seq)
        return last if open_calls and not self.ended else last + 1

    def results(self, up_to: int) -> frozenset[str]:
        """The calls that have ended by that fact."""
        return frozenset(
            call
            for mark in self.marks
            if mark.type in _RESULTS and mark.seq <= up_to
            for call in mark.calls
        )

    def until(self, step: int) -> int:
        """`seq` of the newest fact before that step; all facts, if it has not begun."""
        begins = self.begins.get(step)
        return self.seq if begins is None else begins - 1

    def has_input(self, up_to: int) -> bool:
        """True if somebody has said something by that fact."""
        return any(mark.type == _USER and mark.seq <= up_to for mark in self.marks)

    def answers_last(self, up_to: int) -> bool:
        """True if the model has said all that it had to say, and nobody anything since."""
        said = [mark for mark in self.marks if mark.seq <= up_to and mark.type in _SPOKEN]
        return bool(said) and said[-1].type == _ANSWER and not said[-1].calls

    def turn(self, up_to: int) -> int:
        """The turn that runs after that fact; the next one, if none does."""
        turns = (mark.turn for mark in self.marks if mark.seq <= up_to)
        return (max(turns, default=0) or 1) + self.is_idle(up_to)

    def is_idle(self, up_to: int) -> bool:
        """True if no turn of a conversation runs after that fact."""
        kinds = [
            mark.type
            for mark in self.marks
            if mark.seq <= up_to and mark.type in {_TURN_OVER, _USER}
        ]
        return kinds[-1:] == [_TURN_OVER]


def _mark(event: Event) -> Mark:
    data = data_of(event)
    calls: tuple[str, ...] = ()
    if event.type == _ANSWER:
        calls = tuple(call.call_id for call in body_of(MessageCompleted, event).tool_calls)
    elif event.type in _RESULTS and not data.get("retryable"):
        calls = (str(data.get("call_id")),)
    turn = data.get("turn")
    number = turn if isinstance(turn, int) else 0
    return Mark(event.seq, event.type, event.step or 0, number, calls)
