"""What the figures of scale rest on: costs, what a viewer missed, which runs make the crowd."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import ALONE, EITHER, ON_SQLITE, SCALE, arguments
from benchmarks.appends import KINDS, Kind, event, figures_of, row
from benchmarks.crowd import LONELY, Throughput, plans
from benchmarks.deltas import waits_ms
from benchmarks.hopper import missed_and_doubled
from benchmarks.measure import Spent, spent_together, verdict
from benchmarks.processors import tree_cpu_s
from benchmarks.sse import Frame
from benchmarks.stack import process
from benchmarks.streams import figures
from tests.chaos.observed import Connection

BURN = "import time\nwhile time.process_time() < {}: pass\n"
STAY = "import sys; sys.stdin.read()\n"
"""Until the parent is gone."""


def connection(cursor: int, *seqs: int) -> Connection:
    return Connection(cursor, [(seq, {}) for seq in seqs])


def test_what_was_spent_adds_up() -> None:
    both = spent_together([Spent(100, 1.0, 0.5), Spent(300, 3.0, 1.5)])
    assert both == Spent(400, 4.0, 2.0)
    assert (both.cpu_us, both.per_core, both.per_s) == (5000, 200, 100)


@pytest.mark.parametrize(("cpu_s", "judged"), [(2.0, "ok"), (2.1, "short x1.05")])
def test_appends_may_cost_twice_a_bare_insert(cpu_s: float, judged: str) -> None:
    ours, floor = Spent(1000, 1, cpu_s), Spent(1000, 1, 1.0)
    cost, per_core, *_ = figures_of(KINDS[0], ours, floor, floor)
    assert verdict(cost) == judged
    assert per_core.ours / (per_core.floor or 0) == pytest.approx(1 / cpu_s)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bare_row_is_what_is_appended(kind: Kind) -> None:
    made, new = row(kind, "run_1", 7), event(kind, 7)
    assert made[:2] == ("run_1", 7)
    assert made[3:] == (new.body.type, 1, 1, "0/fact/7" if kind.keyed else None, new.data_json())


@pytest.mark.parametrize(
    ("connections", "found"),
    [
        ([connection(0, 1, 2), connection(2, 3)], (0, 0)),
        ([connection(0, 1), connection(1, 3)], (1, 0)),
        ([connection(0, 1, 2), connection(1, 2, 3)], (0, 1)),
        ([], (3, 0)),
    ],
)
def test_what_a_viewer_missed_and_what_it_got_twice(
    connections: list[Connection], found: tuple[int, int]
) -> None:
    assert missed_and_doubled(connections, 3) == found


def test_the_crowd_is_always_the_same_and_waits_for_nobody() -> None:
    made = plans(60)
    assert made == plans(60)
    assert {it.kind for it in made} == LONELY


def test_throughput_is_told_with_what_it_took() -> None:
    told = Throughput(runs=10, seconds=2.0, cpu_s={"api": 0.1, "worker": 0.3})
    assert told.per_s == 5
    assert told.cpu_ms("worker") == pytest.approx(30)
    assert 0 < told.busy <= 0.2


def test_a_token_waits_from_when_it_was_due() -> None:
    def delta(written_ms: int, received_ms: int, words: str) -> Frame:
        data = f'{{"at":"1970-01-01T00:00:00.{written_ms:03}Z","data":{{"text":"{words}"}}}}'
        return Frame(received_ms / 1000, 1, "message.delta", data.encode())

    first = delta(101, 103, "word-0000 ")
    both = delta(146, 149, "word-0001 word-0002 ")
    assert waits_ms([first, both]) == pytest.approx([2, 28, 8])


def test_viewers_that_did_not_see_all_are_counted() -> None:
    def frames(*seqs: int) -> list[Frame]:
        return [Frame(10.5, seq, "message.delta", b'{"at":"1970-01-01T00:00:10Z"}') for seq in seqs]

    seen = [frames(1, 2, 3), frames(1, 3), frames(1, 2, 2, 3), frames(1, 2, 3)]
    told = {it.name.partition(": ")[2]: it for it in figures(seen, 1, {"api": 8, "postgres": 4}, 2)}
    assert told["not seen whole"].ours == 2
    assert verdict(told["not seen whole"]) == "short"
    assert told["memory of the API per stream"].ours == 500
    assert told["CPU of the API per event"].ours == 2e6
    assert told["written → received, p50"].ours == pytest.approx(500)


async def test_the_time_of_children_counts_before_and_after_their_end(tmp_path: Path) -> None:
    burn = BURN.format(0.4)
    script = (
        "import subprocess, sys, time\n"
        f"subprocess.run([sys.executable, '-c', {burn!r}])\n"
        f"child = [sys.executable, '-c', {(burn + STAY)!r}]\n"
        "subprocess.Popen(child, stdin=subprocess.PIPE).wait()\n"
    )
    async with (
        process(sys.executable, "-c", script, log=tmp_path / "log") as parent,
        asyncio.timeout(15),
    ):
        while tree_cpu_s(parent.pid) < 0.7:  # ticks are coarse: a little less than was burnt
            await asyncio.sleep(0.02)


def test_only_what_is_offered_can_be_asked_for() -> None:
    assert arguments([]).names == [*EITHER, *ON_SQLITE, *ALONE]
    assert arguments(["--scale"]).names == [*EITHER, *SCALE, *ALONE]
    assert arguments(["--scale", "--only", "submit"]).names == ["submit"]
    assert arguments(["--scale", "--only", "crowd"]).names == ["crowd"]
    for wrong in (["--only", "crowd"], ["--scale", "--only", "steering"]):
        with pytest.raises(SystemExit):
            arguments(wrong)
