"""What a tool call comes to: its result, its failures, and what the journal says of them."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from relayline.activities.tool.output import MAX_OUTPUT_BYTES
from relayline.catalog.tools import ToolContext, ToolError, tool
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import StepStarted, ToolAbandoned, ToolCancelled
from relayline.contracts.keys import result_key
from tests.activities.tool.conftest import CALL, Bench, failure


@tool
def echo(text: str) -> str:
    return text


@tool(retries=2)
def broken() -> None:
    raise ValueError("no luck")


@tool(effects="unsafe", retries=2)
def pay(amount: int) -> str:
    if amount < 0:
        raise ValueError("negative")
    return f"paid {amount}"


async def test_a_sync_tool_runs_in_a_thread_and_its_text_is_the_output(bench: Bench) -> None:
    @tool
    def where(context: ToolContext, n: int = 7) -> str:
        assert threading.current_thread() is not threading.main_thread()
        deadline = time.monotonic() + 10
        while not bench.heartbeats and time.monotonic() < deadline:
            time.sleep(0.01)
        who = f"{context.tenant} {context.run_id == bench.run_id}"
        return f"{n} {context.call_id} {context.attempt} {who}"

    outcome = await bench.run(where)
    assert (outcome.status, outcome.preview) == ("completed", "7 call_1_0 1 default True")
    assert await bench.types() == ["tool.started", "tool.completed"]
    started, completed = await bench.events()
    assert (started.step, started.attempt, completed.step, completed.attempt) == (1, 1, 1, 1)
    assert bench.heartbeats > 0, "none came while the tool was at work"


async def test_an_async_tool_is_awaited_and_gets_arguments_in_their_types(bench: Bench) -> None:
    class Place(BaseModel):
        city: str

    @tool
    async def plan(when: date, place: dict[str, str]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"year": when.year, "place": Place(**place), "when": when}

    await bench.run(plan, when="2026-03-01", place={"city": "Ulm"})
    output = json.loads((await bench.result()).output)
    assert output == {"year": 2026, "place": {"city": "Ulm"}, "when": "2026-03-01"}


@pytest.mark.parametrize("partial", [False, True])
async def test_an_object_that_is_called_is_awaited_if_its_call_is_async(
    bench: Bench, partial: bool
) -> None:
    class Weather:
        async def __call__(self, city: str) -> str:
            await asyncio.sleep(0)
            return f"fine in {city}"

    made = tool(functools.partial(Weather()) if partial else Weather())
    assert (await bench.run(made, city="Ulm")).preview == "fine in Ulm"


async def test_numbers_that_json_does_not_have_become_text(bench: Bench) -> None:
    @tool
    def measure() -> dict[str, Any]:
        return {"a": float("nan"), "b": [float("inf"), float("-inf")], "c": 1.5}

    await bench.run(measure)
    output = (await bench.result()).output
    assert output == '{"a":"NaN","b":["Infinity","-Infinity"],"c":1.5}'


async def test_the_outbox_stands_before_what_the_tool_does(bench: Bench) -> None:
    fact = NewEvent(body=StepStarted(model="m"), key="0/step/1/started")
    await bench.plan("echo", {"text": "x"})
    await bench.call(echo, outbox=Outbox(facts=(fact,)))
    types = [event.type for event in await bench.events("")]
    assert types == ["message.completed", "step.started", "tool.started", "tool.completed"]


@pytest.mark.parametrize("text", ["x" * MAX_OUTPUT_BYTES, "é" * (MAX_OUTPUT_BYTES // 2), "\ud800"])
async def test_output_up_to_the_limit_is_kept_whole(bench: Bench, text: str) -> None:
    @tool
    def say() -> str:
        return text

    outcome = await bench.run(say)
    result = await bench.result()
    assert result.output == text.replace("\ud800", "?")
    assert not result.truncated
    assert not outcome.truncated
    assert len(outcome.preview) <= 500


async def test_longer_output_is_cut_between_characters_and_says_so(bench: Bench) -> None:
    size = 4 * MAX_OUTPUT_BYTES

    @tool
    def say() -> str:
        return "𝄞" * MAX_OUTPUT_BYTES

    outcome = await bench.run(say)
    result = await bench.result()
    assert outcome.truncated
    assert result.truncated
    assert len(result.output.encode()) <= MAX_OUTPUT_BYTES
    assert result.output.startswith("𝄞𝄞")
    assert "\ufffd" not in result.output
    assert result.output.endswith(f"[output cut: it was {size} bytes long, this is the beginning]")


async def test_a_finished_tool_never_runs_again(bench: Bench) -> None:
    ran: list[int] = []

    @tool
    def once() -> str:
        ran.append(1)
        return "done"

    first = await bench.run(once)
    assert await bench.call(once, attempt=2) == first
    assert ran == [1]
    assert await bench.types() == ["tool.started", "tool.completed"]


@pytest.mark.parametrize("body", [ToolCancelled, ToolAbandoned])
async def test_a_call_that_was_stopped_stays_stopped(bench: Bench, body: Any) -> None:
    ended = body(call_id=CALL, name="echo", acked_at=datetime.now(UTC))
    await bench.plan("echo", {"text": "x"})
    await bench.journal.append(bench.run_id, [NewEvent(body=ended, key=result_key(0, CALL))])
    assert (await bench.call(echo, attempt=2)).status == "cancelled"
    assert "tool.started" not in await bench.types()


async def test_a_tool_that_raises_is_retried_as_often_as_it_says(bench: Bench) -> None:
    await bench.plan("broken", {})
    for attempt in (1, 2):
        error = await failure(bench, broken, attempt)
        assert (error.type, error.non_retryable) == (ErrorType.TOOL_FAILED, False)
        assert await bench.result() is None
    error = await failure(bench, broken, 3)
    assert error.non_retryable
    assert str(error.message) == "ValueError: no luck"
    result = await bench.result()
    assert (result.error, result.retryable) == ("ValueError: no luck", False)
    flags = [json.loads(event.data).get("retryable") for event in await bench.events("tool.failed")]
    assert flags == [True, True, False]
    again = await failure(bench, broken, 4)
    assert (again.type, again.message, again.non_retryable) == (error.type, error.message, True)
    assert len(await bench.events("tool.failed")) == 3


async def test_only_the_tools_own_failures_use_up_its_retries(bench: Bench) -> None:
    await bench.plan("broken", {})
    error = await failure(bench, broken, 40)
    assert (error.non_retryable, error.next_retry_delay) == (False, timedelta(seconds=0.25))
    error = await failure(bench, broken, 60)
    assert (error.non_retryable, error.next_retry_delay) == (False, timedelta(seconds=0.5))


async def test_a_tool_may_say_that_trying_again_is_no_use(bench: Bench) -> None:
    @tool
    async def hopeless() -> None:
        raise ToolError("no such city", retryable=False)

    await bench.plan("hopeless", {})
    error = await failure(bench, hopeless)
    assert (error.message, error.non_retryable) == ("no such city", True)


async def test_an_unsafe_tool_that_raised_is_not_run_again(bench: Bench) -> None:
    await bench.plan("pay", {"amount": -1})
    assert (await failure(bench, pay)).non_retryable


async def test_an_unsafe_tool_that_finished_is_answered_from_the_journal(bench: Bench) -> None:
    outcome = await bench.run(pay, amount=5)
    assert (await bench.call(pay, attempt=2)) == outcome


async def test_a_tool_that_takes_too_long_fails_and_is_stopped(bench: Bench) -> None:
    stopped: list[str] = []

    @tool(timeout_s=0.1, retries=1)
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append("async")

    @tool(timeout_s=0.1, retries=0)
    def threaded(context: ToolContext) -> None:
        while not context.cancelled:
            threading.Event().wait(0.01)
        stopped.append("thread")

    await bench.plan("slow", {})
    error = await failure(bench, slow)
    assert (error.type, error.non_retryable) == (ErrorType.TOOL_TIMED_OUT, False)
    assert error.message == "slow did not return within 0.1 s"
    other = Bench(bench.journal)
    await other.plan("threaded", {})
    assert (await failure(other, threaded)).non_retryable
    assert stopped == ["async", "thread"]
