"""What `docs/choosing.md` says of the comparison: drawings, tables, and who measured what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from benchmarks.chart import BadDocument, caption
from benchmarks.patterns.drawing import (
    TROUBLES,
    Found,
    absent,
    by_load,
    by_trouble,
    found,
    number,
    svg,
)
from benchmarks.patterns.figures import BENCH, COMPRESSED, Pattern
from benchmarks.report import Document
from benchmarks.stack import ROOT

PAGE = ROOT / "docs" / "choosing.md"
BEGIN, END = "<!-- patterns: generated -->", "<!-- /patterns -->"
BUSY = 0.5
"""More runnable processes than that before a measurement mean that the machine was shared."""


def draw(path: Path, page: Path = PAGE) -> list[Path]:
    """Draw the document beside the page, and write its figures into the page.

    The document is kept beside the page, so that everything can be drawn again.

    Raises:
        BadDocument: it can't be read, or has no figures of the comparison.
    """
    try:
        document = cast("Document", json.loads(path.read_text()))
        files = drawn(document, page.stem)
        text = written(page.read_text(), document, page.stem)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadDocument(f"{path}: {error!r}") from error
    for name, content in files.items():
        page.with_name(name).write_text(content)
    page.write_text(text)
    return [*(page.with_name(name) for name in files), page]


def drawn(document: Document, stem: str) -> dict[str, str]:
    """The files beside the page, by name."""
    values, said = found(document["figures"]), source(document)
    kept = {**document, "figures": [it for it in document["figures"] if it["bench"] == BENCH]}
    return {
        f"{stem}-load.svg": svg("The four patterns under load", by_load(values), said),
        f"{stem}-faults.svg": svg("The four when processes end", by_trouble(values), said),
        f"{stem}.json": json.dumps(kept, indent=1, ensure_ascii=False) + "\n",
    }


def source(document: Document) -> str:
    """Machine, command and commit of the figures."""
    return f"{caption(document, BENCH)}, commit {document.get('commit') or 'unknown'}"


def written(text: str, document: Document, stem: str) -> str:
    """The page with what stands between its two marks.

    Raises:
        ValueError: the page has no such marks, or the document no figures.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"the page must have {BEGIN} and {END} once each")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, "", *_lines(document, stem), "", END + after])


def _lines(document: Document, stem: str) -> Iterator[str]:
    values = found(document["figures"])
    yield f"Measured by {source(document)}."
    if document["load_before"] > BUSY:
        yield "**The machine did other work at the same time**: compare the four, not the seconds."
    yield from (f"{it}." for it in absent(document["figures"]))
    loads = sorted({load for _, name, load in values if name == COMPRESSED})
    yield from ("", f"![The four patterns under load]({stem}-load.svg)")
    yield from ("", f"![The four when processes end]({stem}-faults.svg)")
    for load in loads:
        names = [name for _, name, at in values if at == load and ": " not in name]
        users = "One user" if load == 1 else f"{load} users at once"
        yield from ("", f"**{users}**, the provider down for 10 s in the middle:", "")
        yield from _table(values, list(dict.fromkeys(names)), load)
    yield from _struck(values)


def _struck(values: Found) -> Iterator[str]:
    for trouble, told in TROUBLES.items():
        keys = [(name, at) for _, name, at in values if name.startswith(f"{trouble}: ")]
        if keys:
            yield from ("", f"**{keys[0][1]} users at once**, {told} in the middle:", "")
            yield from _table(values, list(dict.fromkeys(name for name, _ in keys)), keys[0][1])


def _table(values: Found, names: Sequence[str], load: int) -> Iterator[str]:
    """A row for each name, a column for each pattern that has one of them."""
    patterns = [it for it in Pattern if any((it, name, load) in values for name in names)]
    yield "| | " + " | ".join(patterns) + " |"
    yield "|---" * (len(patterns) + 1) + "|"
    for name in names:
        cells = (values.get((it, name, load)) for it in patterns)
        shown = ["" if cell is None else number(cell) for cell in cells]
        yield f"| {name.rpartition(': ')[2]} | " + " | ".join(shown) + " |"
