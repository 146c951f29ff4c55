"""Processor time is read right: which fields of /proc, whose, and what is made of it."""

from __future__ import annotations

import os

import pytest

from benchmarks.measure import Figure, verdict
from benchmarks.processor import Cost, delta_figures, run_figures, silent_figures
from benchmarks.processors import children, cpu_s, more, parse_stat, rss_mb
from benchmarks.report import processor
from benchmarks.silent import changes
from benchmarks.viewers import Show

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
STAT = "7 (a (b) c) S 1 7 7 0 -1 4194560 900 800 0 0 150 50 30 20 20 0 9 0 4 5 6"


def named(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def test_a_line_of_stat_tells_own_time_and_that_of_ended_children() -> None:
    used = parse_stat(STAT)
    assert used.own_s == pytest.approx(200 * TICK_S)
    assert used.ended_s == pytest.approx(50 * TICK_S)


def test_this_process_is_found_in_proc() -> None:
    assert 0 < cpu_s(os.getpid()) < 1e6
    assert 1 < rss_mb(os.getpid()) < 1e6
    assert os.getpid() in children(os.getppid())


def test_what_was_used_in_between_is_told_by_kind() -> None:
    assert more({"api": 3.0, "worker": 2.0}, {"api": 1.0, "worker": 2.0}) == {"api": 2, "worker": 0}


def test_a_short_run_is_judged_by_worker_and_api_together() -> None:
    ours = Cost(100, {"worker": 0.8, "api": 0.4, "temporal": 2.0})
    found = named(run_figures(ours, Cost(50, {"worker": 0.2, "temporal": 0.5})))
    both = found["a short run, 12 at a time: CPU of worker + API"]
    assert (both.ours, both.floor) == pytest.approx((12, 4))
    assert verdict(both) == "short x1.09"
    assert found["a short run, 12 at a time: CPU of temporal"].floor == pytest.approx(10)
    assert found["a short run, 12 at a time: CPU of api"].floor is None


def test_a_delta_is_judged_without_start_and_end_of_its_run_which_are_shown() -> None:
    streamed = Cost(1000, {"worker": 0.1, "api": 0.08})
    whole = Cost(1000, {"worker": 0.2, "api": 0.1})
    bare = Show(20, 20, 1000, [1.0], 40.0, 0.0, 0.1)
    figures = delta_figures(streamed, whole, bare)
    judged = [it for it in figures if it.limit is not None]
    assert [it.ours for it in judged] == [pytest.approx(180)]
    assert figures[-1].ours == pytest.approx(300)
    assert {it.floor for it in figures} == {40.0}


def test_a_silent_second_is_judged_by_worker_and_temporal_and_its_heartbeats() -> None:
    call = Cost(1, {"worker": 0.0001, "temporal": 0.0002, "api": 0.5})
    idle = Cost(1, {"worker": 0.00005, "temporal": 0.0, "api": 0.0})
    figures = silent_figures(call, idle, 0.06)
    both, beats = [it for it in figures if it.limit is not None]
    assert (both.ours, both.floor) == pytest.approx((0.3, 0.05))
    assert verdict(beats) == "short x1.20"


def test_heartbeats_are_counted_by_the_change_of_the_newest_one() -> None:
    looks = [{"a": 1}, {"a": 1}, {"a": 2, "b": 5}, {"a": 2, "b": 5}, {"a": 3, "b": 6}]
    assert changes(looks) == 4
    assert changes(looks[:1]) == changes([]) == 0


def test_the_processor_is_named_as_the_kernel_names_it() -> None:
    assert processor("processor\t: 0\nmodel name\t: AMD EPYC 7B13\nflags\t: fpu\n") == (
        "AMD EPYC 7B13"
    )
    assert processor("processor\t: 0\nBogoMIPS\t: 50.00\n") == ""


@pytest.mark.parametrize(("ours", "judged"), [(9000, "ok"), (10_000, "ok"), (6000, "short x1.50")])
def test_some_figures_have_to_reach_their_limit(ours: float, judged: str) -> None:
    assert verdict(Figure("b", "n", "1/s", ours, limit=9000, at_least=True)) == judged
