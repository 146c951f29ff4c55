"""What a tool demands where it runs holds, whatever the spec says that the run was started with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from relayline.activities.model.answer import planned
from relayline.activities.strictness import strict_request, stricter
from relayline.catalog.tools import Tool, tool
from relayline.contracts.errors import ErrorType
from relayline.contracts.messages import ToolCall
from relayline.contracts.runs import ApprovalRule, ToolSpec
from tests.activities.tool.conftest import Bench, failure

BIG = ApprovalRule(when={"properties": {"amount": {"minimum": 100}}})
SMALL = ApprovalRule(when={"properties": {"amount": {"maximum": 10}}})


def pay(**options: Any) -> Tool:
    async def pay(amount: int) -> str:
        await asyncio.sleep(amount / 1000)
        return f"paid {amount}"

    return tool(**options)(pay)


def loose(own: Tool, **changes: Any) -> ToolSpec:
    """The spec of a run that was started with fewer demands."""
    free = {"approval": "never", "effects": "safe", "timeout_s": 900.0, "asks": False}
    return own.spec.model_copy(update=free | changes)


@pytest.mark.parametrize(
    ("pinned", "own", "amount", "asked"),
    [
        ("never", "always", 50, True),
        ("always", "never", 50, True),
        ("never", BIG, 99, False),
        ("never", BIG, 100, True),
        (SMALL, BIG, 5, True),
        (SMALL, BIG, 50, False),
        (SMALL, BIG, 500, True),
        ("never", "never", 500, False),
    ],
)
async def test_a_call_needs_the_approval_that_either_of_the_two_demands(
    bench: Bench, pinned: Any, own: Any, amount: int, asked: bool
) -> None:
    mine = pay(approval=own)
    spec = loose(mine, approval=pinned)
    call = ToolCall(call_id="call_1_0", name="pay", arguments={"amount": amount})
    assert planned(call, spec, mine).approval is asked
    await bench.plan("pay", {"amount": amount})
    if asked:
        assert (await failure(bench, mine, spec=spec)).type == ErrorType.APPROVAL_REQUIRED
        assert await bench.types() == ["tool.failed"]
    else:
        assert (await bench.call(mine, spec=spec)).preview == f"paid {amount}"


async def test_a_tool_that_is_unsafe_here_is_claimed_and_never_runs_twice(bench: Bench) -> None:
    mine = pay(effects="unsafe")
    await bench.plan("pay", {"amount": 900})
    first, _ = bench.start(mine, spec=loose(mine))
    while await bench.types() != ["tool.started"]:
        await asyncio.sleep(0.01)
    error = await failure(bench, mine, 2, spec=loose(mine))
    assert error.type == ErrorType.OUTCOME_UNKNOWN
    first.cancel()
    await asyncio.wait({first})


def test_the_run_is_told_that_a_tool_is_unsafe_here() -> None:
    call = ToolCall(call_id="call_1_0", name="pay", arguments={"amount": 1})
    mine = pay(effects="unsafe")
    assert planned(call, loose(mine), mine).unsafe
    assert not planned(call, mine.spec, mine).unsafe
    assert not planned(call, loose(mine), None).unsafe


async def test_a_call_that_was_planned_as_unsafe_stays_so_on_every_worker(bench: Bench) -> None:
    mine = pay()
    request = bench.request(mine.spec, "pay")
    call = request.call.model_copy(update={"unsafe": True})
    strict = strict_request(request.model_copy(update={"call": call}), mine)
    assert strict.tool
    assert strict.tool.effects == "unsafe"


async def test_the_shorter_time_out_counts(bench: Bench) -> None:
    mine = pay(timeout_s=0.05, retries=0)
    await bench.plan("pay", {"amount": 5000})
    error = await failure(bench, mine, spec=loose(mine))
    assert error.type == ErrorType.TOOL_TIMED_OUT
    assert "0.05 s" in error.message
    assert stricter(loose(mine, timeout_s=0.01), mine.spec).timeout_s == 0.01


async def test_a_question_never_runs_even_if_the_run_says_that_it_is_none(bench: Bench) -> None:
    mine = pay(asks=True)
    await bench.plan("pay", {"amount": 1})
    assert (await failure(bench, mine, spec=loose(mine))).type == ErrorType.BAD_ARGUMENTS
