"""When a stream writes its next deltas: at once, or at a tick together with others."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from relayline.activities.model.pace import (
    CLOSE_FROM,
    CLOSE_TO,
    FEW_WRITERS,
    TICK_S,
    UNIT_S,
    Pace,
)

TIMES = st.floats(0, 1e6)
SLIP_S = 1e-6
"""Of floats."""


@given(now=TIMES, hold_s=st.floats(0, 1))
def test_a_write_comes_at_most_a_tick_before_it_is_due_and_never_after(
    now: float, hold_s: float
) -> None:
    tick = Pace().tick(now + hold_s, now, first=False)
    if tick is None:
        assert hold_s <= TICK_S + SLIP_S
    else:
        assert now < tick * UNIT_S <= now + hold_s + SLIP_S
        assert now + hold_s <= tick * UNIT_S + TICK_S + SLIP_S


@given(now=TIMES)
def test_an_overdue_write_waits_only_among_many_streams_and_never_if_it_is_the_first(
    now: float,
) -> None:
    few, many = Pace(), Pace()
    few.writers, many.writers = FEW_WRITERS, FEW_WRITERS + 1
    assert few.tick(0, now, first=False) is None
    assert many.tick(0, now, first=True) is None
    tick = many.tick(0, now, first=False)
    assert tick is not None
    assert now - SLIP_S < tick * UNIT_S <= now + TICK_S + SLIP_S


@given(now=TIMES)
def test_ticks_come_closer_while_that_saves_readers_more_than_it_costs(now: float) -> None:
    for writers, tick_s in (
        (CLOSE_FROM - 1, TICK_S),
        (CLOSE_FROM, UNIT_S),
        (CLOSE_TO, UNIT_S),
        (CLOSE_TO + 1, TICK_S),
    ):
        pace = Pace()
        pace.writers = writers
        due = pace.tick(now + tick_s, now, first=False)
        overdue = pace.tick(0, now, first=False)
        assert overdue is not None
        assert now - SLIP_S < overdue * UNIT_S <= now + tick_s + SLIP_S
        assert due is None or now < due * UNIT_S <= now + tick_s + SLIP_S


async def test_a_tick_wakes_all_who_wait_for_it_in_one_turn_of_the_loop() -> None:
    pace, loop = Pace(), asyncio.get_running_loop()
    tick = int(loop.time() / UNIT_S) + 9
    sleepers = [loop.create_future() for _ in range(5)]
    for sleeper in sleepers:
        pace.wake_at(tick, sleeper)
    sleepers[0].cancel()
    sleepers[1].set_result(None)
    await sleepers[2]
    assert all(sleeper.done() for sleeper in sleepers)
    assert loop.time() >= tick * UNIT_S - 0.001
