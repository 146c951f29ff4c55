"""Commands reach the whole tree; nothing below a run outlives it."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.api.enums.v1 import ParentClosePolicy

from tests.dev_stack import DevStack
from tests.family.scripts import (
    ASKS_A_PERSON,
    SLEEPS,
    asks,
    below,
    child_of,
    facts,
    says,
    together,
    until,
)
from tests.resetting import history


async def lowest_at_work(stack: DevStack, run_id: str) -> tuple[str, str]:
    """Wait until the tool of the lowest of three runs is at work; the ids of both below."""
    middle = await child_of(stack, run_id)
    low = await child_of(stack, middle)
    await stack.seen(low, "tool.started")
    return middle, low


async def three(stack: DevStack, **fields: Any) -> tuple[str, str, str]:
    """A run, the one below it and the one below that, whose tool sleeps."""
    deep = asks("deputy", asks("steered", SLEEPS, says("deep")), says("middle"))
    run_id = await stack.submit(deep, says("top"), agent="lead", **fields)
    return run_id, *await lowest_at_work(stack, run_id)


async def test_a_cancel_reaches_the_tree_with_receipts(stack: DevStack) -> None:
    run_id, middle, low = await three(stack)
    await stack.send(run_id, "cancel", by="ann", reason="enough")
    assert (await stack.ended(run_id))["status"] == "cancelled"
    assert [it["status"] for it in await below(stack, run_id)] == ["cancelled", "cancelled"]
    for each in (middle, low):
        [told] = await facts(stack, each, "command.applied")
        assert (told["kind"], told["by"]) == ("cancel", "ann")
    [ended] = await facts(stack, run_id, "child.ended")
    assert (ended["run_id"], ended["status"]) == (middle, "cancelled")
    assert len(await facts(stack, run_id, "tool.cancelled")) == 1


async def test_a_redirect_stops_the_runs_below_and_reaches_the_model_alone(
    stack: DevStack,
) -> None:
    run_id, middle, low = await three(stack)
    await stack.send(run_id, "redirect", message="never mind")
    assert (await stack.ended(run_id))["status"] == "completed"
    for each in (middle, low):
        [end] = await facts(stack, each, "run.cancelled")
        assert end["reason"].startswith("redirected")
        assert all("never mind" not in str(it) for it in await facts(stack, each, "message.user"))
    types = [it["type"] for it in await stack.events(run_id)]
    assert types.index("tool.cancelled") < types.index("message.user", 4)


async def test_a_pause_and_its_end_reach_the_tree(stack: DevStack) -> None:
    run_id, middle, low = await three(stack)
    command = await stack.send(run_id, "pause", now=True, by="ann")
    outcome = await stack.outcome(run_id, command)
    assert middle in outcome["applied"]
    for each in (run_id, middle, low):
        await until(stack, each, lambda it: it.get("status") == "paused")
    top = await until(stack, run_id, lambda it: len(it["waiting_for"]) == 1)
    assert top["waiting_for"][0]["kind"] == "resume"
    await stack.send(run_id, "resume", by="ann")
    await stack.seen(low, "run.resumed")
    await stack.send(run_id, "cancel")
    await stack.ended(run_id)


async def test_a_pause_reaches_the_runs_below_while_calls_of_the_run_itself_are_at_work(
    stack: DevStack,
) -> None:
    script = together(asks("steered", ASKS_A_PERSON, says("blue")), SLEEPS)
    run_id = await stack.submit(script, says("done"), agent="lead")
    child = await child_of(stack, run_id)
    await stack.seen(child, "input.requested")
    await stack.seen(run_id, "tool.started")
    await stack.send(run_id, "pause")
    await stack.seen(child, "run.paused")
    await stack.send(run_id, "resume")
    await stack.seen(child, "run.resumed")
    assert await facts(stack, run_id, "run.paused", "run.resumed") == [], "its own call works"
    await stack.send(run_id, "cancel")
    assert (await stack.ended(run_id))["status"] == "cancelled"
    for kind in ("run.paused", "run.resumed"):
        assert len(await facts(stack, child, kind)) == 1


async def test_a_run_whose_parent_fails_is_cancelled(stack: DevStack) -> None:
    run_id, middle, low = await three(stack, limits={"max_wall_s": 3})
    view = await stack.ended(run_id)
    assert (view["status"], view["error"]["type"]) == ("failed", "budget-exceeded")
    for each in (middle, low):
        assert (await stack.ended(each))["status"] in {"cancelled", "failed"}


async def test_a_run_whose_parent_is_terminated_is_cancelled(stack: DevStack) -> None:
    run_id, middle, low = await three(stack)
    temporal = await stack.temporal()
    await temporal.get_workflow_handle(run_id).terminate("an operator")
    ends = await asyncio.gather(*map(stack.ended, (run_id, middle, low)))
    assert [it["status"] for it in ends] == ["terminated", "cancelled", "cancelled"]


async def test_temporal_cancels_the_runs_below_one_that_it_closes(stack: DevStack) -> None:
    run_id = await stack.submit(asks("steered", says("done")), says("done"), agent="lead")
    await stack.ended(run_id)
    events = (await history(stack, run_id)).events
    started = [it.start_child_workflow_execution_initiated_event_attributes for it in events]
    policies = [it.parent_close_policy for it in started if it.workflow_id]
    assert policies == [ParentClosePolicy.PARENT_CLOSE_POLICY_REQUEST_CANCEL]


async def test_a_run_that_is_cancelled_itself_fails_its_call_alone(stack: DevStack) -> None:
    calls = together(asks("steered", SLEEPS), asks("steered", says("well")))
    run_id = await stack.submit(calls, says("done"), agent="lead")
    await child_of(stack, run_id)
    ended = await stack.seen(run_id, "child.ended")
    slow = next(it["run_id"] for it in await below(stack, run_id) if it["status"] != "completed")
    assert ended["data"]["run_id"] != slow
    await stack.send(slow, "cancel", by="ann", reason="too slow")
    assert (await stack.ended(run_id))["output"] == "done"
    [failure] = await facts(stack, run_id, "tool.failed")
    assert "cancelled by ann: too slow" in failure["error"]


async def test_the_budget_of_a_run_bounds_those_below(stack: DevStack) -> None:
    talks = {"tokens": 400}
    run_id = await stack.submit(
        together(*[asks("steered", talks, SLEEPS, says("x"))] * 2),
        says("done"),
        agent="lead",
        limits={"max_tokens": 600},
    )
    view = await stack.ended(run_id)
    assert (view["status"], view["error"]["type"]) == ("failed", "budget-exceeded")
    for each in await below(stack, run_id):
        assert (await stack.ended(each["run_id"]))["status"] in {"cancelled", "failed"}
