"""`python -m benchmarks`: Relayline's figures, each with its floor from the same run."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import uvloop
from rich.console import Console

from benchmarks import (
    apart,
    appends,
    batch,
    capacity,
    cold,
    crowd,
    deltas,
    encryption,
    fairness,
    family,
    forks,
    history,
    lists,
    load,
    mcp_calls,
    processor,
    rivals,
    steering,
    streams,
    submit,
    takeover,
    turns,
    viewers,
)
from benchmarks.alone import stack_of
from benchmarks.chart import BadDocument, benches, draw
from benchmarks.measure import Figure
from benchmarks.patterns import comparison, page
from benchmarks.report import as_text, begun, table
from benchmarks.stack import ROOT, NotStarted, Stack, peers

FAILED = "FAILED, see its traceback"
"""Name of the one figure of a part that could not be measured."""
_WIDTH = 170
"""Columns of the table where there is no terminal to ask."""
RESULTS = ROOT / ".relayline" / "bench.json"
SCALE_RESULTS = RESULTS.with_name("bench-scale.json")


class Bench(Protocol):
    """A benchmark of the running stack, whose journal is in SQLite or in Postgres."""

    def __call__(self, stack: Stack, *, quick: bool) -> Awaitable[list[Figure]]:
        """Measure it."""
        ...


class AloneBench(Protocol):
    """A benchmark that starts what it measures, with a journal in SQLite or in Postgres."""

    def __call__(self, *, quick: bool, postgres: bool) -> Awaitable[list[Figure]]:
        """Measure it."""
        ...


class ScaleBench(Protocol):
    """A benchmark of what is needed beyond one machine; it starts what it measures."""

    def __call__(self, *, quick: bool) -> Awaitable[list[Figure]]:
        """Measure it."""
        ...


EITHER: dict[str, Bench] = {
    module.BENCH: module.measure
    for module in (submit, forks, cold, family, processor, deltas, viewers)
}
"""On a stack with either journal."""
ON_SQLITE: dict[str, Bench] = {
    module.BENCH: module.measure for module in (history, steering, rivals, turns)
}
"""On a stack, without --scale only: the journal makes no difference to them."""
ALONE: dict[str, AloneBench] = {
    module.BENCH: module.measure
    for module in (batch, fairness, takeover, lists, load, comparison, encryption, mcp_calls)
}
SCALE: dict[str, ScaleBench] = {
    module.BENCH: module.measure for module in (apart, appends, crowd, streams, capacity)
}
"""With --scale only."""


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scale", action="store_true", help="Postgres, several APIs and workers")
    either = [*EITHER, *ON_SQLITE, *ALONE, *SCALE]
    parser.add_argument("--only", choices=either, action="append", help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples")
    parser.add_argument("--json", action="store_true", help="print the JSON, not the table")
    parser.add_argument(
        "--chart",
        type=Path,
        metavar="FILE.json",
        help="measure nothing: draw what `load` and `patterns` found",
    )
    options = parser.parse_args(given)
    offered = [*EITHER, *(SCALE if options.scale else ON_SQLITE), *ALONE]
    options.names = options.only or offered
    if other := set(options.names).difference(offered):
        parser.error(f"not {'with' if options.scale else 'without'} --scale: {sorted(other)}")
    return options


Say = Callable[[str], None]


async def run(
    names: Sequence[str], *, quick: bool, say: Say, postgres: bool = False
) -> list[Figure]:
    """Start the stack and the peers' worker, measure, stop everything.

    Raises:
        NotStarted: a process did not come up.
    """
    _stop_on_sigterm()
    offered, figures = {**EITHER, **ON_SQLITE}, list[Figure]()
    with tempfile.TemporaryDirectory(prefix="relayline-bench-") as folder:
        async with stack_of(Path(folder), postgres=postgres) as ours, peers(ours) as stack:
            await submit.bare(stack)
            for name in names:
                figures += await part_of(name, offered[name](stack, quick=quick), say)
    return figures


async def run_alone(
    names: Sequence[str], *, quick: bool, say: Say, postgres: bool = False
) -> list[Figure]:
    """Measure one after the other; each starts and stops what it needs.

    Raises:
        NotStarted: a process did not come up.
    """
    _stop_on_sigterm()
    figures: list[Figure] = []
    for name in names:
        alone = name in ALONE
        work = ALONE[name](quick=quick, postgres=postgres) if alone else SCALE[name](quick=quick)
        figures += await part_of(name, work, say)
    return figures


async def part_of(name: str, work: Awaitable[list[Figure]], say: Say) -> list[Figure]:
    """A part's figures; one that fails says so with its traceback, and the others stay."""
    began = time.monotonic()
    try:
        return await work
    except Exception:  # noqa: BLE001  told, and the exit code is 1
        say(traceback.format_exc())
        return [Figure(name, FAILED, "", 1, limit=0, rule="none")]
    finally:
        say(f"{name}: {time.monotonic() - began:.0f} s")


def drawn(path: Path) -> list[Path]:
    """Draw what the document has; the files that were written.

    Raises:
        BadDocument: it can't be read, or has nothing that is drawn.
    """
    parts = benches(path)
    if comparison.BENCH in parts:
        written = page.draw(path)
        return [*written, *draw(path)] if load.BENCH in parts else written
    return draw(path)


def _stop_on_sigterm() -> None:
    """SIGTERM cancels, like Ctrl-C: whatever was started is stopped."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def measured(options: argparse.Namespace, say: Say) -> list[Figure]:
    """Measure all that is asked for, those that share a stack first.

    Raises:
        NotStarted: a process did not come up.
        CancelledError: SIGTERM.
    """
    shared = [name for name in options.names if name in EITHER or name in ON_SQLITE]
    alone = [name for name in options.names if name not in shared]
    figures: list[Figure] = []
    if shared:
        figures += asyncio.run(run(shared, quick=options.quick, say=say, postgres=options.scale))
    if alone:  # these append or receive much by themselves: on the loop of our processes
        work = run_alone(alone, quick=options.quick, say=say, postgres=options.scale)
        figures += uvloop.run(work)
    return figures


def main() -> int:
    """Measure and print; 0 when every part worked, whatever the verdicts."""
    options = arguments(sys.argv[1:])
    errors = Console(stderr=True)
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    document = begun(command, quick=options.quick, postgres=options.scale)
    try:
        if options.chart:
            for path in drawn(options.chart):
                print(path)
            return 0
        figures = measured(options, partial(errors.print, markup=False))
    except (NotStarted, BadDocument) as error:
        errors.print(f"benchmarks: {error}", markup=False)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        errors.print("benchmarks: stopped")
        return 130
    text = as_text(document, figures)
    results = SCALE_RESULTS if options.scale else RESULTS
    results.parent.mkdir(exist_ok=True)
    results.write_text(text)
    if options.json:
        print(text, end="")
    else:
        output = Console(width=None if sys.stdout.isatty() else _WIDTH)
        output.print(table(figures))
        print(f"JSON: {results}")
    return int(any(figure.name == FAILED for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
