"""What is made of raw measurements: percentiles, figures, verdicts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypedDict


class Figure(NamedTuple):
    """One measured number, next to the number it is compared with."""

    bench: str
    """The benchmark it is from."""
    name: str
    unit: str
    ours: float
    floor: float | None = None
    """The same job without us, or done by somebody else, in the same run."""
    against: str = ""
    """What the floor is."""
    limit: float | None = None
    """Ours must not be greater; None for what is only shown."""
    rule: str = ""
    """How the limit comes about."""
    load: int | None = None
    """How many there were of what the name begins with; None where that is not varied."""
    at_least: bool = False
    """The limit is what ours must reach, not what it must not exceed."""


class FigureJson(TypedDict):
    """A figure as it stands in the JSON."""

    bench: str
    name: str
    unit: str
    ours: float
    floor: float | None
    against: str
    limit: float | None
    rule: str
    verdict: str
    load: int | None
    at_least: bool


class Spent(NamedTuple):
    """What a number of like things took."""

    times: int
    wall_s: float
    cpu_s: float
    """Processor seconds of everybody who took part."""

    @property
    def cpu_us(self) -> float:
        """Processor microseconds per thing."""
        return self.cpu_s / self.times * 1e6

    @property
    def per_core(self) -> float:
        """Things per second of one processor that does nothing else."""
        return self.times / self.cpu_s

    @property
    def per_s(self) -> float:
        """Things per second as it was."""
        return self.times / self.wall_s


def spent_together(parts: Iterable[Spent]) -> Spent:
    """All of it."""
    return Spent(*map(sum, zip(*parts, strict=True)))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all values do not exceed (nearest rank).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values were measured")
    ranked = sorted(values)
    return ranked[max(0, -int(-len(ranked) * percent // 100) - 1)]


def p50(values: Sequence[float]) -> float:
    """The median."""
    return percentile(values, 50)


def p95(values: Sequence[float]) -> float:
    """What 95 % do not exceed."""
    return percentile(values, 95)


def verdict(figure: Figure) -> str:
    """`ok`, or `short xR` with how many times it misses its limit; empty without a limit."""
    if figure.limit is None:
        return ""
    pair = figure.ours, figure.limit
    less, greater = pair if figure.at_least else reversed(pair)
    if greater <= less:
        return "ok"
    return f"short x{greater / less:.2f}" if less else "short"


def as_json(figure: Figure) -> FigureJson:
    """The figure with its verdict; numbers to four places."""
    return FigureJson(
        bench=figure.bench,
        name=figure.name,
        unit=figure.unit,
        ours=round(figure.ours, 4),
        floor=None if figure.floor is None else round(figure.floor, 4),
        against=figure.against,
        limit=None if figure.limit is None else round(figure.limit, 4),
        rule=figure.rule,
        verdict=verdict(figure),
        load=figure.load,
        at_least=figure.at_least,
    )


def in_order(ids: Iterable[int], last: int) -> bool:
    """True when the ids are 1, 2, … `last`, each once."""
    return list(ids) == list(range(1, last + 1))


def events_per_activity(history: Sequence[tuple[str, str]]) -> dict[str, list[int]]:
    """How many history events each activity cost, by activity type.

    An activity costs what stands between the end of the one before it and its own end; the
    first one also what comes before it.

    Args:
        history: `(event type, activity type)` in order; the activity's type stands on the event
            that schedules it and on the one that ends it, empty elsewhere.
    """
    costs: dict[str, list[int]] = {}
    since = 0
    for event, activity in history:
        since += 1
        if event == "completed":
            costs.setdefault(activity, []).append(since)
            since = 0
    return costs
