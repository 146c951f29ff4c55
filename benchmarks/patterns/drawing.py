"""The comparison as bars: two drawings from its figures. Pure.

A drawing follows the reader's light or dark setting. What it says of machine, command, commit
and date comes from the JSON, as the figures do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from benchmarks.measure import FigureJson
from benchmarks.patterns.figures import BENCH, COMPRESSED, NO_ANSWER, UNMEASURED, Pattern

COLOURS = {
    Pattern.SYNC: "#c2571a",
    Pattern.QUEUE: "#8a6fbf",
    Pattern.CARELESS: "#b3a1d6",
    Pattern.STREAM: "#3b82c4",
    Pattern.OURS: "#2f9e6e",
}
"""Legible on white and on black."""
_STYLE = """
text { font-family: sans-serif; font-size: 12px; fill: #222 }
.small { font-size: 10px; fill: #555 }
.title { font-weight: bold }
.axis { stroke: #bbb }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .small { fill: #aaa } .axis { stroke: #555 }
}
"""
_WIDTH, _PANEL_W, _PANEL_H, _LEFT, _TOP = 900, 380, 120, 24, 64
_ACROSS, _DOWN, _FOOT = 440, 190, 16


class Bar(NamedTuple):
    """One value of a panel."""

    pattern: Pattern
    group: str
    """The bars that stand together, such as `20 at once`."""
    value: float


class Panel(NamedTuple):
    """Bars of one unit, from 0."""

    title: str
    bars: Sequence[Bar]


Found = Mapping[tuple[Pattern, str, int], float]
"""Values by pattern, name and load."""


def found(figures: Sequence[FigureJson]) -> Found:
    """The figures of the comparison.

    Raises:
        ValueError: there are none.
    """
    values = {}
    for it in figures:
        pattern, _, name = it["name"].partition(": ")
        if it["bench"] == BENCH and it["load"] is not None:
            values[Pattern(pattern), name, it["load"]] = it["ours"]
    if not values:
        raise ValueError(f"no figures of {BENCH}")
    return values


def absent(figures: Sequence[FigureJson]) -> list[str]:
    """What was not measured, and why."""
    return [it["name"] for it in figures if it["bench"] == BENCH and UNMEASURED in it["name"]]


FAILURES = ("requests refused", "requests timed out", "runs failed", "answers broken off")
"""What a user runs into and has to begin again after."""
LOADED: Mapping[str, Sequence[str]] = {
    "until accepted, p95, s": ("accepted, p95",),
    "until the first text, p95, s": ("first text, p95",),
    "until the end, p95, s": ("end, p95",),
    "refused, timed out, failed or broken off": FAILURES,
    "calls to the provider while it was down": ("calls during the outage",),
    "tokens paid twice, % of what is needed": ("tokens paid twice",),
    "memory of all processes, MB": ("memory",),
    "processor time per run, ms": ("CPU per run",),
}
"""Panels of the drawing of load, each with the figures that are added up in it."""
STRUCK: Mapping[str, Sequence[str]] = {
    "users without an answer": (NO_ANSWER,),
    "submitted again": ("submitted again",),
    "tokens paid twice, % of what is needed": ("tokens paid twice",),
    "streams resumed": ("streams resumed",),
}
TROUBLES = {"kill": "one process killed", "redeploy": "redeployed"}


def by_load(values: Found) -> list[Panel]:
    """Bars of each pattern for each number of users at once."""
    loads = sorted({load for _, name, load in values if name == COMPRESSED})
    return [
        Panel(
            title,
            [
                Bar(pattern, f"{load} at once", total)
                for load in loads
                for pattern in Pattern
                if (total := _total(values, pattern, names, load)) is not None
            ],
        )
        for title, names in LOADED.items()
    ]


def by_trouble(values: Found) -> list[Panel]:
    """Bars of each pattern for what happened to its processes."""
    loads = {load for _, name, load in values if name.partition(": ")[0] in TROUBLES}
    return [
        Panel(
            title,
            [
                Bar(pattern, told, total)
                for trouble, told in TROUBLES.items()
                for load in loads
                for pattern in Pattern
                if (total := _total(values, pattern, [f"{trouble}: {it}" for it in names], load))
                is not None
            ],
        )
        for title, names in STRUCK.items()
    ]


def _total(values: Found, pattern: Pattern, names: Sequence[str], load: int) -> float | None:
    """The sum of those figures; None if they were not measured."""
    parts = [values[key] for name in names if (key := (pattern, name, load)) in values]
    return sum(parts) if parts else None


def svg(title: str, panels: Sequence[Panel], said: str) -> str:
    """All panels, two in a row; a legend above, who measured what below."""
    rows = -(-len(panels) // 2)
    height = _TOP + rows * _DOWN + _FOOT
    drawn = [
        part
        for number, panel in enumerate(panels)
        for part in _panel(panel, _LEFT + _ACROSS * (number % 2), _TOP + _DOWN * (number // 2))
    ]
    shown = {bar.pattern for panel in panels for bar in panel.bars}
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            *_legend([it for it in Pattern if it in shown]),
            *drawn,
            _text(_LEFT, height - 6, said.replace("`", ""), "small"),
            "</svg>\n",
        ]
    )


def _legend(patterns: Sequence[Pattern]) -> Iterator[str]:
    left = float(_LEFT)
    for pattern in patterns:
        yield f'<rect x="{left}" y="14" width="12" height="12" fill="{COLOURS[pattern]}"/>'
        yield _text(left + 18, 24, pattern)
        left += 44 + 7 * len(pattern)


def _panel(panel: Panel, left: float, top: float) -> Iterator[str]:
    yield _text(left, top - 8, panel.title, "title")
    groups = list(dict.fromkeys(bar.group for bar in panel.bars))
    most = max((bar.value for bar in panel.bars), default=0.0) or 1.0
    across, bottom = _PANEL_W / max(1, len(groups)), top + _PANEL_H + 14
    for number, group in enumerate(groups):
        bars = [bar for bar in panel.bars if bar.group == group]
        begin = left + number * across
        width = (across - 16) / len(bars)
        for place, bar in enumerate(bars):
            yield from _bar(bar, begin + place * width, bottom, (width - 4, most))
        yield _text(begin, bottom + 16, group, "small")
    yield f'<path class="axis" d="M{left} {bottom}h{_PANEL_W}"/>'


def _bar(bar: Bar, left: float, bottom: float, scale: tuple[float, float]) -> Iterator[str]:
    """A bar with its value on top; `scale` has its width and the greatest value."""
    width, most = scale
    tall = bar.value / most * _PANEL_H
    place = f'x="{left:.1f}" y="{bottom - tall:.1f}" width="{width:.1f}" height="{tall:.1f}"'
    yield f'<rect {place} fill="{COLOURS[bar.pattern]}"/>'
    yield _text(left, bottom - tall - 3, number(bar.value), "small")


def number(value: float) -> str:
    """Two digits that count, no more."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


def _text(left: float, top: float, text: str, kind: str = "") -> str:
    sort = f' class="{kind}"' if kind else ""
    return f'<text x="{left:.1f}" y="{top:.1f}"{sort}>{escape(text)}</text>'
