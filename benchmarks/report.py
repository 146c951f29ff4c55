"""The figures as a table for people and as JSON, with what they were measured on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

from rich.table import Table

from benchmarks.measure import Figure, FigureJson, as_json, verdict


class Host(TypedDict):
    """A machine, by its class: nothing that names this very one."""

    machine: str
    processor: str
    cores: int
    memory_gb: float
    python: str


class Document(TypedDict):
    """What is written as JSON."""

    command: str
    date: str
    """Of the begin, UTC: YYYY-MM-DD."""
    quick: bool
    journal: str
    """`SQLite` or `Postgres`."""
    load_before: float
    """Runnable processes just before, on average over a minute; more than 0.5 is a busy machine."""
    host: Host
    commit: NotRequired[str]
    """Of the code, with `+` if files were changed since; empty outside of a checkout."""
    figures: list[FigureJson]


def table(figures: Sequence[Figure]) -> Table:
    """The figures for people."""
    shown = Table(title="Relayline, measured")
    for heading in ("bench", "figure"):
        shown.add_column(heading)
    for heading in ("ours", "floor", "ratio", "limit"):
        shown.add_column(heading, justify="right")
    for heading in ("verdict", "the floor is"):
        shown.add_column(heading)
    for figure in figures:
        floor, ours = figure.floor, figure.ours
        judged = verdict(figure)
        colour = "green" if judged == "ok" else "red"
        sign = "≥" if figure.at_least else "≤"
        shown.add_row(
            figure.bench,
            figure.name if figure.load is None else f"{figure.load:,} {figure.name}",
            _number(ours, figure.unit),
            "" if floor is None else _number(floor, figure.unit),
            f"x{ours / floor:.2f}" if floor else "",
            "" if figure.limit is None else f"{sign} {_number(figure.limit)} ({figure.rule})",
            f"[{colour}]{judged}[/]" if judged else "",
            figure.against,
        )
    return shown


def _number(value: float, unit: str = "") -> str:
    digits = 0 if value == round(value) else 2 if abs(value) >= 0.1 else 4
    return f"{value:.{digits}f} {unit}".strip()


def begun(command: str, *, quick: bool, postgres: bool) -> Document:
    """The document before there are figures."""
    return Document(
        command=command,
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        quick=quick,
        journal="Postgres" if postgres else "SQLite",
        load_before=round(os.getloadavg()[0], 2),
        host=_host(),
        commit=_commit(),
        figures=[],
    )


def _commit() -> str:
    head = _git("rev-parse", "--short=10", "HEAD")
    return head + "+" if _git("status", "--porcelain", "--untracked-files=no") else head


def _git(*arguments: str) -> str:
    """What git says; nothing where it is missing, or this is no checkout."""
    command = ("git", "-C", str(Path(__file__).parent), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _host() -> Host:
    return Host(
        machine=platform.machine(),
        processor=processor(Path("/proc/cpuinfo").read_text()),
        cores=os.cpu_count() or 1,
        memory_gb=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        python=platform.python_version(),
    )


def processor(cpuinfo: str) -> str:
    """The model that `/proc/cpuinfo` names; empty if it names none, as on ARM."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return ""


def as_text(document: Document, figures: Sequence[Figure]) -> str:
    """The document with its figures."""
    whole = {**document, "figures": [as_json(figure) for figure in figures]}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
