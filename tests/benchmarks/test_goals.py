"""What is measured is held against the goals: begins of runs, the take-over of calls."""

from __future__ import annotations

import pytest

from benchmarks import cold, submit, takeover
from benchmarks.__main__ import FAILED, part_of
from benchmarks.cold import Begun
from benchmarks.measure import Figure, verdict
from benchmarks.submit import Times


def judged(figures: list[Figure]) -> dict[str, str]:
    return {it.name.rpartition("POST → ")[2]: verdict(it) for it in figures if it.limit is not None}


@pytest.mark.parametrize(("frame", "judgement"), [(16.0, "ok"), (32.0, "short x2.00")])
def test_a_first_frame_may_take_a_third_more_than_a_bare_start_and_3_ms(
    frame: float, judgement: str
) -> None:
    floor = Times(start=[10.0], activity=[20.0])
    figures = cold.figures("now", Begun([frame], [30.0], floor))
    assert judged(figures) == {"first frame, p50": judgement, "first delta, p50": "ok"}
    assert {it.name.partition(":")[0] for it in figures} == {"now"}


def test_a_first_delta_may_take_half_more_than_bare_code_on_a_cold_connection_else_a_quarter() -> (
    None
):
    floor = Times(start=[10.0], activity=[20.0])
    at_limit = cold.figures("now", Begun([1.0], [31.5], floor))
    assert judged(at_limit)["first delta, p50"] == "short x1.05"
    times = Times([10.0], [20.0], [12.0], [15.0], [26.25], [40.0], [5.0], 1)
    assert judged(submit.figures(times))["first delta, p50"] == "short x1.05"


def test_a_run_that_the_next_list_does_not_have_is_told() -> None:
    times = Times([10.0], [20.0], [12.0], [15.0], [20.0], [40.0], [5.0], 3)
    [found] = [it for it in submit.figures(times) if it.name.startswith("not in the next list")]
    assert (found.ours, verdict(found)) == (3, "short")


def test_calls_are_to_run_again_within_a_second_and_nearly_all_within_two() -> None:
    again = [0.8] * 19 + [2.4]
    half, most, count = takeover.figures(again, [0.07])
    assert (verdict(half), verdict(most), count.ours) == ("ok", "ok", 20)
    _, most, _ = takeover.figures([*again, 2.4], [0.07])
    assert verdict(most) == "short x1.20"


async def test_a_part_that_fails_is_told_and_costs_no_other_its_figures() -> None:
    async def fails() -> list[Figure]:
        raise TimeoutError("nothing was stopped")

    said: list[str] = []
    [found] = await part_of("steering", fails(), said.append)
    assert (found.bench, found.name, verdict(found)) == ("steering", FAILED, "short")
    assert "TimeoutError: nothing was stopped" in said[0]
