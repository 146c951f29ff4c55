"""A worker that is killed costs nothing: the run goes on and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from relayline.contracts.envelope import Envelope
from relayline.contracts.events import TERMINAL_TYPES
from relayline.projections.rendered import Rendered
from tests.dev_stack import DevStack, alive

TEXT = " ".join(f"word{index}" for index in range(200))


@pytest.mark.representative
async def test_a_killed_worker_supersedes_its_attempt_and_the_text_is_whole(
    stack: DevStack,
) -> None:
    run_id = await stack.submit({"say": TEXT, "every_ms": 40})
    await stack.seen(run_id, "message.delta")
    stack.kill_worker()
    run = await stack.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", TEXT)
    events = await stack.events(run_id)
    void = [event for event in events if event["type"] == "attempt.superseded"]
    assert [event["data"]["attempt"] for event in void] == [1]
    first, last = void[0]["data"]["from_seq"], void[0]["data"]["to_seq"]
    assert {event["attempt"] for event in events[first - 1 : last]} == {1}
    deltas = [
        event["data"]["text"]
        for event in events
        if event["type"] == "message.delta" and event["attempt"] == 2
    ]
    assert "".join(deltas) == TEXT
    assert sum(event["type"] in TERMINAL_TYPES for event in events) == 1


async def test_what_is_rendered_equals_what_is_stored_after_a_kill(stack: DevStack) -> None:
    run_id = await stack.submit({"say": TEXT, "every_ms": 15})
    await stack.seen(run_id, "message.delta")
    stack.kill_worker()
    await stack.ended(run_id)
    rendered = Rendered()
    for event in await stack.events(run_id):
        rendered = rendered.apply(Envelope.model_validate(event))
    assert rendered.text(1) == TEXT


async def test_a_finished_tool_is_not_run_again_after_a_kill(stack: DevStack) -> None:
    calls = [
        {"name": "calculate", "arguments": {"expression": "6*7"}},
        {"name": "sleep", "arguments": {"seconds": 4}},
    ]
    run_id = await stack.submit({"calls": calls}, {"say": "done"})
    assert (await stack.seen_text(run_id, "call_1_1"))["type"] == "tool.started"
    assert (await stack.seen(run_id, "tool.completed"))["data"]["call_id"] == "call_1_0"
    stack.kill_worker()
    run = await stack.ended(run_id)
    assert run["status"] == "completed"
    events = await stack.events(run_id)
    completed = [e["data"]["call_id"] for e in events if e["type"] == "tool.completed"]
    assert sorted(completed) == ["call_1_0", "call_1_1"]
    started = [e["data"]["call_id"] for e in events if e["type"] == "tool.started"]
    assert started.count("call_1_0") == 1
    assert started.count("call_1_1") == 2


@pytest.mark.stack
async def test_stopping_dev_leaves_no_process_behind(tmp_path: Path) -> None:
    async with DevStack(tmp_path / "dev", "--workers", "2") as stack:
        run_id = await stack.submit({"tokens": 500, "every_ms": 20})
        await stack.seen(run_id, "message.delta")
        pids = stack.pids
        assert len(pids) == 4
        assert all(alive(pid) for pid in pids)
        assert await stack.stop() == 0
        assert not any(alive(pid) for pid in pids)
