"""Which events of a run still count: after resets, and after attempts that were superseded. Pure.

An operator's reset makes void what came after the event that it returns to; a further attempt of a
model call makes void what earlier ones have streamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AttemptFailed, AttemptSuperseded
from relayline.contracts.keys import superseded_key
from relayline.projections.projection import Event, body_of, data_of, fold

REWOUND = "run.rewound"
QUEUED = "run.queued"
"""Always counts: a reset does not change what the run was given."""
FORKED = "run.forked"
"""Parts a past from what the run does itself; no reset leads to before the end of that past."""
DELTAS = frozenset({"message.delta", "reasoning.delta"})
_FAILED = "attempt.failed"
_FALLBACK = "model.fallback"
_E = TypeVar("_E", bound=Event)


def rewound_to(event: Event) -> int:
    """`seq` of the newest event that counts after this `run.rewound`; 0 when none does."""
    to_seq = data_of(event).get("to_seq")
    return to_seq if isinstance(to_seq, int) else 0


class Void(NamedTuple):
    """A range of events that a reset has made void."""

    from_seq: int
    to_seq: int
    """Inclusive."""


@dataclass(frozen=True)
class Valid:
    """Which events still count: all but those that a later `run.rewound` has made void.

    `run.queued` always counts.
    """

    seq: int = 0
    """The newest event that changed something."""
    void: tuple[Void, ...] = ()
    """Disjoint and in order."""
    queued: int = 0
    """`seq` of `run.queued`; 0 if there is none."""

    def apply(self, event: Event) -> Valid:
        """This with one more event; only `run.queued` and `run.rewound` change it."""
        if event.seq <= self.seq:
            return self
        if event.type == QUEUED:
            return replace(self, seq=event.seq, queued=event.seq)
        if event.type != REWOUND:
            return self
        first = rewound_to(event) + 1
        if first == event.seq:
            return replace(self, seq=event.seq)
        apart = tuple(void for void in self.void if void.to_seq < first)
        merged = (void.from_seq for void in self.void[len(apart) :])
        void = Void(min((first, *merged)), event.seq - 1)
        return replace(self, seq=event.seq, void=(*apart, void))

    def counts(self, seq: int) -> bool:
        """True unless that event is void."""
        void = any(it.from_seq <= seq <= it.to_seq for it in self.void)
        return seq == self.queued or not void


def counting(events: Iterable[_E]) -> Sequence[_E]:
    """The events that count: without those that a later `run.rewound` has made void.

    `run.queued` always counts.

    Args:
        events: Of one run, in order, from its start on.
    """
    events = [*events]
    valid = fold(Valid(), (event for event in events if event.type in {QUEUED, REWOUND}))
    if not valid.void:
        return events
    return [event for event in events if valid.counts(event.seq)]


class Left(NamedTuple):
    """What one attempt has streamed, and how it ended as far as that is known."""

    from_seq: int = 0
    """Its first delta; 0 if it left none."""
    to_seq: int = 0
    reason: str = "the worker stopped in mid-answer"


@dataclass(frozen=True)
class Streamed:
    """What the attempts of one step have streamed, since the newest reset."""

    step: int
    seq: int = 0
    """The newest event that told something about an attempt, or the newest reset."""
    attempts: Mapping[int, Left] = field(default_factory=dict)

    def apply(self, event: Event) -> Streamed:
        """This with one more event; only deltas, failures and resets change it."""
        if event.seq <= self.seq:
            return self
        if event.type == REWOUND:
            return Streamed(self.step, event.seq)
        attempt = event.attempt
        if event.step != self.step or attempt is None:
            return self
        left = self.attempts.get(attempt, Left())
        if event.type in DELTAS:
            left = left._replace(from_seq=left.from_seq or event.seq, to_seq=event.seq)
        elif event.type == _FAILED:
            left = left._replace(reason=body_of(AttemptFailed, event).error.type)
        elif event.type == _FALLBACK:
            left = left._replace(reason=ErrorType.MODEL_UNAVAILABLE)
        else:
            return self
        return replace(self, seq=event.seq, attempts={**self.attempts, attempt: left})


def superseded_attempts(
    events: Iterable[Event], *, scope: str, step: int, attempt: int
) -> list[NewEvent]:
    """The facts that void what attempts before `attempt` streamed in this step, oldest first.

    Args:
        events: Everything journaled since the step began.
        scope: The fence scope of the step; the keys begin with it.
        step: The step.
        attempt: The attempt that takes over.

    Returns:
        One `attempt.superseded` for each earlier attempt that left deltas. Their keys ensure that
        each is journaled once, whichever attempts append it.
    """
    streamed = fold(Streamed(step), events)
    return [
        NewEvent(
            body=AttemptSuperseded(
                attempt=old, from_seq=left.from_seq, to_seq=left.to_seq, reason=left.reason
            ),
            step=step,
            attempt=attempt,
            key=superseded_key(scope, old),
        )
        for old, left in sorted(streamed.attempts.items())
        if old < attempt and left.from_seq
    ]
