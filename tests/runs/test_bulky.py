"""A run whose model asks for very bulky calls costs nobody an attempt."""

from __future__ import annotations

import json

from tests.dev_stack import DevStack


async def test_bulky_arguments_cost_neither_their_run_nor_another_an_attempt(
    stack: DevStack,
) -> None:
    other = await stack.submit({"tokens": 2000, "every_ms": 20})
    await stack.seen(other, "message.delta")
    choices = ([1] * 43_000, ["x"] * 20_000, [1] * 43_000)
    calls = [{"name": "ask_user", "arguments": {"question": "?", "choices": it}} for it in choices]
    script = json.dumps({"rehearse": [{"calls": calls}, {"say": "ok"}]}, separators=(",", ":"))
    posted = await stack.client.post("/v1/runs", json={"agent": "assistant", "input": script})
    run_id = posted.json()["run_id"]
    assert (await stack.ended(run_id))["output"] == "ok"
    await stack.send(other, "cancel")
    assert (await stack.ended(other))["status"] == "cancelled"
    temporal = await stack.temporal()
    for id_ in (run_id, other):
        history = await temporal.get_workflow_handle(id_).fetch_history()
        starts = [it.activity_task_started_event_attributes for it in history.events]
        assert {it.attempt for it in starts if it.attempt} == {1}
    assert [it["type"] for it in await stack.events(run_id)].count("tool.failed") == len(calls)
