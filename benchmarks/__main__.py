"""`python -m benchmarks`: Relayline's figures, each with its floor from the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import (
    apart,
    appends,
    capacity,
    crowd,
    deltas,
    history,
    rivals,
    steering,
    streams,
    submit,
    viewers,
)
from benchmarks.measure import Figure, as_json, verdict
from benchmarks.stack import ROOT, NotStarted, Stack, process, running_stack

_WIDTH = 170
"""Columns of the table where there is no terminal to ask."""
RESULTS = ROOT / ".relayline" / "bench.json"
SCALE_RESULTS = RESULTS.with_name("bench-scale.json")


class Bench(Protocol):
    """A benchmark of the running stack."""

    def __call__(self, stack: Stack, *, quick: bool) -> Awaitable[list[Figure]]:
        """Measure it."""
        ...


BENCHES: dict[str, Bench] = {
    module.BENCH: module.measure for module in (submit, deltas, viewers, history, steering, rivals)
}


class ScaleBench(Protocol):
    """A benchmark of what is needed beyond one machine; it starts what it measures."""

    def __call__(self, *, quick: bool) -> Awaitable[list[Figure]]:
        """Measure it."""
        ...


SCALE: dict[str, ScaleBench] = {
    module.BENCH: module.measure for module in (apart, appends, crowd, streams, capacity)
}


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scale", action="store_true", help="Postgres, several APIs and workers")
    either = [*BENCHES, *SCALE]
    parser.add_argument("--only", choices=either, action="append", help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples")
    parser.add_argument("--json", action="store_true", help="print the JSON, not the table")
    options = parser.parse_args(given)
    offered = SCALE if options.scale else BENCHES
    options.names = options.only or list(offered)
    if other := set(options.names).difference(offered):
        parser.error(f"not {'with' if options.scale else 'without'} --scale: {sorted(other)}")
    return options


async def run(names: Sequence[str], *, quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Start the stack and the peers' worker, measure, stop everything.

    Raises:
        NotStarted: a process did not come up.
    """
    _stop_on_sigterm()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="relayline-bench-") as folder:
        data_dir = Path(folder)
        async with running_stack(data_dir) as stack:
            address = stack.temporal.service_client.config.target_host
            worker = (sys.executable, "-m", "benchmarks.peer_worker", address)
            async with process(*worker, log=data_dir / "peers.log"):
                await submit.bare(stack)
                for name in names:
                    began = time.monotonic()
                    figures += await BENCHES[name](stack, quick=quick)
                    say(f"{name}: {time.monotonic() - began:.0f} s")
    return figures


async def run_scale(
    names: Sequence[str], *, quick: bool, say: Callable[[str], None]
) -> list[Figure]:
    """Measure one after the other; each starts and stops what it needs."""
    _stop_on_sigterm()
    figures: list[Figure] = []
    for name in names:
        began = time.monotonic()
        figures += await SCALE[name](quick=quick)
        say(f"{name}: {time.monotonic() - began:.0f} s")
    return figures


def _stop_on_sigterm() -> None:
    """SIGTERM cancels, like Ctrl-C: whatever was started is stopped."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


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
        shown.add_row(
            figure.bench,
            figure.name,
            _number(ours, figure.unit),
            "" if floor is None else _number(floor, figure.unit),
            f"x{ours / floor:.2f}" if floor else "",
            "" if figure.limit is None else f"≤ {_number(figure.limit)} ({figure.rule})",
            f"[{colour}]{judged}[/]" if judged else "",
            figure.against,
        )
    return shown


def _number(value: float, unit: str = "") -> str:
    text = f"{value:.0f}" if value == round(value) else f"{value:.2f}"
    return f"{text} {unit}".strip()


def document(figures: Sequence[Figure], *, quick: bool) -> str:
    """The figures as JSON, with what they were measured on."""
    host = {"machine": platform.machine(), "python": platform.python_version()}
    rows = [as_json(figure) for figure in figures]
    return json.dumps({"quick": quick, "host": host, "figures": rows}, indent=2, ensure_ascii=False)


def main() -> int:
    """Measure and print; 0 when it worked, whatever the verdicts."""
    options = arguments(sys.argv[1:])
    errors = Console(stderr=True)
    measure, results = (run_scale, SCALE_RESULTS) if options.scale else (run, RESULTS)
    runs = uvloop.run if options.scale else asyncio.run  # it appends by itself, as our processes do
    try:
        figures = runs(measure(options.names, quick=options.quick, say=errors.print))
    except NotStarted as error:
        errors.print(f"benchmarks: {error}", markup=False)
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        errors.print("benchmarks: stopped")
        return 130
    text = document(figures, quick=options.quick)
    results.parent.mkdir(exist_ok=True)
    results.write_text(text + "\n")
    if options.json:
        print(text)
    else:
        output = Console(width=None if sys.stdout.isatty() else _WIDTH)
        output.print(table(figures))
        print(f"JSON: {results}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
