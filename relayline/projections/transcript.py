"""What a model is told of a run, folded from the facts of its journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import takewhile

from relayline.contracts.events import ContextCompacted, MessageInterrupted, RunForked
from relayline.contracts.messages import Message, OmittedMessages, Usage
from relayline.projections.projection import Event, as_of, body_of, fold
from relayline.projections.said import SAYING, Reading, Turn
from relayline.projections.valid import FORKED, REWOUND, rewound_to

COMPACTED = "context.compacted"
_COMPLETED, _INTERRUPTED = "message.completed", "message.interrupted"
_TOLD = frozenset({*SAYING, COMPACTED, REWOUND})
_BILLED = frozenset({_COMPLETED, _INTERRUPTED, COMPACTED, REWOUND, FORKED})


def flat(said: Iterable[Turn]) -> tuple[Message, ...]:
    """The messages of these turns."""
    return tuple(message for turn in said for message in turn.messages)


def shortened(said: Sequence[Turn], by: ContextCompacted | None) -> tuple[Turn, ...]:
    """The turns without what that event leaves out; what it says of them takes their place."""
    if by is None:
        return tuple(said)
    kept = [turn for turn in said if turn.seq in by.kept]
    tail = [turn for turn in said if turn.seq >= by.kept_from]
    out = [turn for turn in said if turn.seq < by.kept_from and turn.seq not in by.kept]
    newest = max(by.kept, default=0)
    omitted = OmittedMessages(
        summary=by.summary,
        count=len(flat(out)),
        answers=sum(turn.answers and turn.seq > newest for turn in out),
    )
    return (*kept, Turn(0, (omitted,)), *tail)


@dataclass(frozen=True, eq=False)
class Transcript:
    """What a model is told of a run, folded from its facts.

    Every tool call of an assistant message is followed by exactly one result, as `Reading` says.

    Folding one event costs the same however many came before. `turns` reads the facts since the
    newest version before this one that was asked for them.
    """

    seq: int = 0
    """The newest fact that says something to a model, or the newest reset."""
    fact: Event | None = field(default=None, repr=False)
    """None at the start and right after a reset."""
    before: Transcript | None = field(default=None, repr=False)
    reading: list[Reading] = field(default_factory=list, repr=False)
    """The facts as they were read up to here; empty unless this was the newest one asked."""

    def apply(self, event: Event) -> Transcript:
        """This with one more fact; types that say nothing to a model change nothing."""
        if event.type not in _TOLD or event.seq <= self.seq:
            return self
        if event.type == REWOUND:
            return Transcript(event.seq, None, as_of(self, rewound_to(event)))
        return Transcript(event.seq, event, self)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that the model is told: the turns without what was left out."""
        return flat(shortened(self.turns, self.compacted))

    @property
    def compacted(self) -> ContextCompacted | None:
        """The newest `context.compacted`."""
        found = (it.fact for it in self._newest_first() if it.fact and it.fact.type == COMPACTED)
        newest = next(found, None)
        return body_of(ContextCompacted, newest) if newest else None

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What was said and what the tools returned, before anything was left out."""
        newer: list[Transcript] = []
        reading = None
        for version in self._newest_first():
            with suppress(IndexError):  # whoever takes a reading has it alone
                reading = version.reading.pop()
                break
            newer.append(version)
        reading = reading or Reading()
        for version in reversed(newer):
            if version.fact:
                reading.take(version.fact)
        turns = tuple(reading.turns)
        self.reading.append(reading)
        return turns

    @property
    def unread(self) -> Sequence[Event]:
        """The facts that `turns` has to read, newest first."""
        newer = takewhile(lambda version: not version.reading, self._newest_first())
        return [version.fact for version in newer if version.fact]

    def _newest_first(self) -> Iterator[Transcript]:
        version: Transcript | None = self
        while version is not None:
            yield version
            version = version.before


@dataclass(frozen=True)
class Unbilled:
    """Tokens of summaries and interrupted answers that no whole answer has counted in its own."""

    seq: int = 0
    """The newest answer, whole or not, summary, reset or `run.forked`."""
    usage: Usage = field(default_factory=Usage)
    inherited_to: int = 0
    """The last event of the past, which others have paid."""
    before: Unbilled | None = field(default=None, compare=False, repr=False)

    def apply(self, event: Event) -> Unbilled:
        """This with one more fact; only summaries, answers and resets change it."""
        if event.type not in _BILLED or event.seq <= self.seq:
            return self
        if event.type == REWOUND:
            earlier = as_of(self, rewound_to(event)) or Unbilled()
            return replace(earlier, seq=event.seq, before=earlier)
        if event.type == FORKED:
            to_seq = body_of(RunForked, event).to_seq
            return replace(self, seq=event.seq, inherited_to=to_seq, before=self)
        return replace(self, seq=event.seq, usage=self._after(event), before=self)

    def _after(self, event: Event) -> Usage:
        if event.seq <= self.inherited_to or event.type == _COMPLETED:
            return Usage()
        if event.type == COMPACTED:
            return self.usage + body_of(ContextCompacted, event).usage
        return self.usage + body_of(MessageInterrupted, event).usage


def transcript(facts: Iterable[Event]) -> tuple[Message, ...]:
    """All that the model is told after these facts, in order."""
    return fold(Transcript(), facts).messages


def turns(facts: Iterable[Event]) -> tuple[Turn, ...]:
    """What was said after these facts, before anything was left out."""
    return fold(Transcript(), facts).turns
