"""What is measured of the queue is held against its goals: batches, turns, priorities, slots."""

from __future__ import annotations

from benchmarks import batch, fairness, slots
from benchmarks.batch import Bares, Times
from benchmarks.fairness import Beside, Probe
from benchmarks.measure import verdict
from benchmarks.slots import Held, Shared


def test_a_thousand_runs_may_take_3_s_to_be_accepted_and_15_to_start_fewer_in_proportion() -> None:
    bare = Bares(2.0, 10.0)
    found = batch.figures(1000, Times(3.0, 16.5, 20.0, 40.0), bare, bare)
    assert [verdict(it) for it in found] == ["ok", "short x1.10", "", ""]
    assert [it.load for it in found] == [1000] * 4
    assert [it.floor for it in found] == [2.0, 2.0, 2.0, 10.0]
    fewer = batch.figures(200, Times(0.9, 2.0, 20.0, 40.0), bare, bare)
    assert [verdict(it) for it in fewer] == ["short x1.50", "ok", "", ""]


def test_another_key_may_wait_twice_as_long_beside_a_flood_as_alone() -> None:
    alone = [Probe(0.0, 0.1)] * 20
    beside = Beside([Probe(5.0, 5.21)] * 20, [Probe(5.0, 25.0)] * 20, [])
    half, most, against = fairness.flood_figures(1000, alone, beside)
    assert (verdict(half), verdict(most)) == ("", "short x1.05")
    assert (round(against.ours), against.floor) == (210, 20_000)


def test_a_tenth_of_a_backlog_may_begin_before_an_urgent_run() -> None:
    begun_at = [number / 10 for number in range(100)]
    urgent = [Probe(1.05, 2.0)] * 20
    beside = Beside(urgent, [Probe(1.05, 10.0)] * 20, begun_at)
    assert (beside.waiting()[0], beside.overtook()[0]) == (89, 9)
    before, begun = fairness.priority_figures(100, beside)
    assert (verdict(before), before.floor, verdict(begun)) == ("ok", 89, "")


def test_a_flood_may_have_half_of_the_slots_on_average_while_others_wait() -> None:
    flood = [Held("flood", 0.0, 1.0)] * 8 + [Held("flood", 1.0, 3.0)] * 5
    shared = Shared([*flood, Held("other", 1.0, 2.0), Held("other", 2.0, 2.5)], came_at=0.5)
    assert shared.waiting() == (1.5, 2.0)
    mean, most = slots.figures("fairness", shared)
    assert (mean.ours, verdict(mean), most.ours) == (5, "short x1.25", 5)
