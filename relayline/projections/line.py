"""Where a run's time went, as a few stretches of one kind each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

StretchKind = Literal["queue", "model", "tool", "wait", "pause"]
NowKind = Literal["queue", "model", "tool", "wait", "pause", "error", "said"]
MAX_STRETCHES = 24


class Stretch(NamedTuple):
    """A time in which a run did one thing, in milliseconds since it was created."""

    kind: StretchKind
    from_ms: int
    to_ms: int

    @property
    def long_ms(self) -> int:
        """How long it took."""
        return self.to_ms - self.from_ms


@dataclass(frozen=True)
class Line:
    """The stretches of a run, in order; short ones are part of a neighbour if there are many."""

    ended: tuple[Stretch, ...] = ()
    """One less than `MAX_STRETCHES` at most, so that there is room for the open one."""
    kind: StretchKind | None = None
    """What the run does now; None: nothing that counts."""
    since_ms: int = 0
    """When it began to do that."""

    @property
    def whole(self) -> tuple[tuple[StretchKind, int, int | None], ...]:
        """All stretches; the open one has no end."""
        if self.kind is None:
            return self.ended
        return (*self.ended, (self.kind, self.since_ms, None))

    def turned(self, kind: StretchKind | None, at_ms: int) -> Line:
        """This, when the run begins to do that; the same if it does it already."""
        if kind == self.kind:
            return self
        at_ms = max(at_ms, self.since_ms)
        ended = self.ended
        if self.kind is not None and at_ms > self.since_ms:
            ended = _few((*ended, Stretch(self.kind, self.since_ms, at_ms)))
        return Line(ended, kind, at_ms)


def _few(stretches: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    """With one less if there are too many: the shortest becomes part of its shorter neighbour."""
    if len(stretches) < MAX_STRETCHES:
        return stretches
    at = min(range(len(stretches)), key=lambda place: stretches[place].long_ms)
    if at == 0 or (at + 1 < len(stretches) and _is_shorter(stretches, at + 1, at - 1)):
        at += 1
    one, other = stretches[at - 1], stretches[at]
    kind = one.kind if one.long_ms >= other.long_ms else other.kind
    joined = Stretch(kind, one.from_ms, other.to_ms)
    return (*stretches[: at - 1], joined, *stretches[at + 1 :])


def _is_shorter(stretches: tuple[Stretch, ...], one: int, other: int) -> bool:
    return stretches[one].long_ms < stretches[other].long_ms
