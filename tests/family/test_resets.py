"""An operator resets a run that has others below it; workers die while these run."""

from __future__ import annotations

import asyncio

import pytest

from tests.dev_stack import DevStack
from tests.family.scripts import SLEEPS, asks, below, child_of, facts, says, together
from tests.resetting import at_rest, child_known, history, reset, reset_to

pytestmark = pytest.mark.slow


async def test_a_reset_to_before_the_start_cancels_the_run_and_starts_another(
    stack: DevStack,
) -> None:
    run_id = await stack.submit(asks("steered", SLEEPS), says("done"), agent="lead")
    first = await child_of(stack, run_id)
    await stack.seen(first, "tool.started")
    await reset(stack, run_id, after_activity=1)  # the model's answer: the run is not begun
    await stack.seen(run_id, "run.rewound")
    view = await stack.ended(first)
    assert view["status"] == "cancelled"
    async with asyncio.timeout(60):
        while len(runs := await below(stack, run_id)) < 2:
            await asyncio.sleep(0.05)
    second = runs[-1]["run_id"]
    assert second != first
    await stack.seen(second, "tool.started")
    await stack.send(run_id, "cancel")
    assert (await stack.ended(run_id))["status"] == "cancelled"
    assert {it["status"] for it in await below(stack, run_id)} == {"cancelled"}


async def test_after_a_reset_to_later_the_same_run_is_the_result(stack: DevStack) -> None:
    sleeps = {"call": "sleep", "arguments": {"seconds": 6}}
    run_id = await stack.submit(asks("steered", sleeps, says("slept")), says("done"), agent="lead")
    first = await child_of(stack, run_id)
    await stack.seen(first, "tool.started")
    await reset_to(stack, run_id, await at_rest(stack, run_id))
    await stack.seen(run_id, "run.rewound")
    view = await stack.ended(run_id)
    assert (view["status"], view["output"]) == ("completed", "done")
    assert [it["run_id"] for it in await below(stack, run_id)] == [first]
    [result] = await facts(stack, run_id, "tool.completed")
    assert result["output"] == "slept"


async def test_a_reset_to_before_the_end_of_a_run_below_keeps_its_answer(stack: DevStack) -> None:
    nap = {"call": "sleep", "arguments": {"seconds": 3}}
    run_id = await stack.submit(asks("steered", says("low")), nap, says("done"), agent="lead")
    await stack.seen(run_id, "tool.started")
    await reset_to(stack, run_id, await child_known(stack, run_id))
    rewound = await stack.seen(run_id, "run.rewound")
    assert (await stack.ended(run_id))["output"] == "done"
    ends = [it for it in await stack.events(run_id) if it["type"] == "tool.completed"]
    seqs = [it["seq"] for it in ends if it["data"]["output"] == "low"]
    assert [it <= rewound["data"]["to_seq"] for it in seqs] == [True], "it is said once"
    events = (await history(stack, run_id)).events
    activities = [it.activity_task_scheduled_event_attributes.activity_type.name for it in events]
    scheduled = [it for it in activities if it]
    assert scheduled[1:3] == ["rewind", "end_child"]
    between = activities[activities.index("rewind") + 1 : activities.index("end_child")]
    assert len(between) > 3, "it has ended before"


async def test_what_a_run_below_has_said_stands_after_a_reset_to_later(stack: DevStack) -> None:
    nap = {"call": "sleep", "arguments": {"seconds": 3}}
    run_id = await stack.submit(asks("steered", says("low")), nap, says("done"), agent="lead")
    await stack.seen(run_id, "tool.started")
    await reset(stack, run_id, after_activity=2)  # the end of the run below
    rewound = await stack.seen(run_id, "run.rewound")
    assert (await stack.ended(run_id))["output"] == "done"
    ends = [it for it in await stack.events(run_id) if it["type"] == "tool.completed"]
    low = [it["seq"] for it in ends if it["data"]["output"] == "low"]
    assert low
    assert low[0] <= rewound["data"]["to_seq"]


async def test_killed_workers_lose_no_run_and_start_none_twice(stack: DevStack) -> None:
    talks = {"tokens": 80, "every_ms": 20}
    deep = asks("deputy", asks("steered", talks, says("low")), says("middle"))
    run_id = await stack.submit(together(deep, deep), says("top"), agent="lead")
    for _ in range(2):
        await child_of(stack, await child_of(stack, run_id))
        stack.kill_worker()
        await asyncio.sleep(1)
    view = await stack.ended(run_id)
    assert (view["status"], view["output"]) == ("completed", "top")
    runs = await below(stack, run_id)
    assert len(runs) == 4
    assert {it["status"] for it in runs} == {"completed"}
    assert len(await facts(stack, run_id, "child.started")) == 2
    assert len(await facts(stack, run_id, "child.ended")) == 2
