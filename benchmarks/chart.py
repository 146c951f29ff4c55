"""Cost against load as a drawing: SVG from the JSON of `benchmarks.load`, and its place in a page.

Both axes of a panel are logarithmic. What the drawing says of machine, command and date comes from
the JSON, as the figures do.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple, cast

from benchmarks.measure import FigureJson
from benchmarks.report import Document, Host
from benchmarks.stack import ROOT

PAGE = ROOT / "docs" / "operate" / "scaling.md"
BENCH = "load"
WIDTH, HEIGHT = 900, 610
_PANEL_W, _PANEL_H = 330, 190
_LEFT, _TOP, _ACROSS, _DOWN = 80, 56, 450, 280
_COLOURS = {
    "worker": "#1f77b4",
    "api": "#d62728",
    "temporal": "#9467bd",
    "postgres": "#2ca02c",
    "clients": "#8c8c8c",
}
_OTHER = "#444444"


class BadDocument(Exception):
    """The file can't be drawn; the message says why."""


class Line(NamedTuple):
    """One curve of a panel."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    """Load and cost, both greater than 0."""
    dashed: bool = False


class Panel(NamedTuple):
    """One coordinate system."""

    title: str
    x: str
    lines: Sequence[Line]


def draw(path: Path, page: Path = PAGE) -> list[Path]:
    """Draw the document beside the page and show it there; the files that were written.

    Raises:
        BadDocument: it can't be read, or has no figures of `load`.
    """
    try:
        document = cast("Document", json.loads(path.read_text()))
        figures = [it for it in document["figures"] if it["bench"] == BENCH]
        drawn = page.with_name(f"load-{document['journal'].lower()}.svg")
        text = svg(panels(figures), caption(document, BENCH))
        described = placed(page.read_text(), drawn.name, caption(document, BENCH))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadDocument(f"{path}: {error!r}") from error
    drawn.write_text(text)
    page.write_text(described)
    return [drawn, page]


def benches(path: Path) -> set[str]:
    """The parts of which the document has figures; none of one that can't be read."""
    try:
        return {it["bench"] for it in json.loads(path.read_text())["figures"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()  # whoever draws it says what is wrong


def caption(document: Document, part: str) -> str:
    """Which command made the figures of that part, where and when."""
    quick = ", a quick look only" if document["quick"] else ""
    command, others = re.subn(rf" --only (?!{part}\b)\w+", "", document["command"])
    return (
        f"`{command}`{' among others' * bool(others)}, {document['date']}, {document['journal']}, "
        f"{machine(document['host'])}, load before {document['load_before']:g}{quick}"
    )


def machine(host: Host) -> str:
    """The machine's class, in a few words."""
    name = host["processor"] or host["machine"]
    return f"{host['cores']} cores of {name}, {host['memory_gb']:g} GB, Python {host['python']}"


def placed(page: str, drawing: str, said: str) -> str:
    """The page with the drawing and its caption between its two marks.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {drawing} -->", f"<!-- end of {drawing} -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page has no {begin} and {end}")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n![Cost against load]({drawing})\n\nMade by {said}.\n{end}{after}"


def panels(figures: Sequence[FigureJson]) -> list[Panel]:
    """What is shown of the figures of `load`.

    Raises:
        ValueError: there are none.
    """
    runs, watchers = "runs at once", "viewers of one run"
    per_delta = re.compile(rf"{runs}: CPU of (\w+) per delta")
    names = dict.fromkeys(it["name"] for it in figures)
    kinds = [found[1] for name in names if (found := per_delta.fullmatch(name))]
    made = [
        Panel(
            "CPU per delta, µs",
            runs,
            [_line(figures, f"{runs}: CPU of {it} per delta", it) for it in kinds],
        ),
        Panel(
            "journal → client, p95, ms",
            runs,
            [_line(figures, f"{runs}: written → received, p95", "p95")],
        ),
        Panel(
            "CPU of the API per delivered event, µs",
            watchers,
            _both(figures, f"{watchers}: CPU of api per delivered event", "api"),
        ),
        Panel(
            "memory of the API per viewer, KB",
            watchers,
            _both(figures, f"{watchers}: memory of the API per viewer", "api"),
        ),
    ]
    if not any(line.points for panel in made for line in panel.lines):
        raise ValueError(f"no figures of {BENCH}")
    return made


def _both(figures: Sequence[FigureJson], name: str, kind: str) -> list[Line]:
    floor = [(float(it["load"] or 0), it["floor"] or 0.0) for it in figures if it["name"] == name]
    bare = Line("bare Starlette", _OTHER, _drawable(floor), dashed=True)
    return [_line(figures, name, kind), bare]


def _line(figures: Sequence[FigureJson], name: str, label: str) -> Line:
    points = [(float(it["load"] or 0), it["ours"]) for it in figures if it["name"] == name]
    return Line(label, _COLOURS.get(label, _OTHER), _drawable(points))


def _drawable(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that a logarithmic axis can show, by load."""
    return sorted((x, y) for x, y in points if x > 0 and y > 0)


def decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten between which all values lie; at least one apart.

    Args:
        values: Greater than 0; without any, from 1 to 10.
    """
    if not values:
        return 0, 1
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def svg(shown: Sequence[Panel], said: str) -> str:
    """All panels, two in a row, and the caption below."""
    places = [
        (_LEFT + _ACROSS * (number % 2), _TOP + _DOWN * (number // 2))
        for number in range(len(shown))
    ]
    body = [part for panel, at in zip(shown, places, strict=True) for part in _panel(panel, *at)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
            "<title>Cost against load</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            '<g font-family="sans-serif">',
            *body,
            _text(16, HEIGHT - 16, said.replace("`", ""), size=10),
            "</g>",
            "</svg>\n",
        ]
    )


def _panel(panel: Panel, left: float, top: float) -> list[str]:
    xs = [x for line in panel.lines for x, _ in line.points]
    ys = [y for line in panel.lines for _, y in line.points]
    (x_low, x_high), (y_low, y_high) = decades(xs), decades(ys)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x_low) / (x_high - x_low)
        up = (math.log10(y) - y_low) / (y_high - y_low)
        return left + across * _PANEL_W, top + (1 - up) * _PANEL_H

    right, bottom = left + _PANEL_W, top + _PANEL_H
    parts = [_text(left, top - 24, panel.title, weight="bold")]
    for power in range(x_low, x_high + 1):
        x, _ = place(10.0**power, 10.0**y_low)
        parts += [_rule(x, top, x, bottom), _text(x, bottom + 16, _tick(power), anchor="middle")]
    for power in range(y_low, y_high + 1):
        _, y = place(10.0**x_low, 10.0**power)
        parts += [_rule(left, y, right, y), _text(left - 6, y + 4, _tick(power), anchor="end")]
    parts.append(_text(left + _PANEL_W / 2, bottom + 32, panel.x, anchor="middle"))
    at = left
    for line in panel.lines:
        parts += _curve(line, [place(x, y) for x, y in line.points])
        parts.append(_text(at, top - 8, line.name, colour=line.colour))
        at += 16 + 6.5 * len(line.name)
    return parts


def _curve(line: Line, places: Sequence[tuple[float, float]]) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="5 4"' if line.dashed else ""
    stroke = f'fill="none" stroke="{line.colour}" stroke-width="2"{dashes}'
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{line.colour}"/>' for x, y in places]
    return [f'<polyline points="{path}" {stroke}/>', *dots] if places else []


def _tick(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#dddddd"/>'


def _text(  # noqa: PLR0913  all that a text can have
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    weight: str = "normal",
    colour: str = "#222222",
    size: int = 12,
) -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" fill="{colour}" font-size="{size}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
