"""A run that is reset to where it waits for somebody says so, and takes what it waits for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relayline.journal.sqlite.journal import SqliteJournal
from tests.dev_stack import DevStack
from tests.resetting import at_rest, reset_to

CALL = {"call": "sleep", "arguments": {"seconds": 0.5}}
TWO = {"calls": [{"name": "sleep", "arguments": {"seconds": 0}} for _ in range(2)]}
LONG = {"tokens": 30, "every_ms": 20}
DONE = {"say": "done"}


async def standing(stack: DevStack, run_id: str) -> dict[str, Any]:
    """What `GET /v1/runs/{id}` says."""
    run: dict[str, Any] = (await stack.client.get(f"/v1/runs/{run_id}")).json()
    return run


@pytest.mark.parametrize("while_", ["message.delta", "tool.started"])
async def test_a_run_that_is_reset_to_a_pause_is_paused_and_can_be_resumed(
    stack: DevStack, while_: str
) -> None:
    run_id = await stack.submit(LONG, CALL, DONE)
    await stack.seen(run_id, while_)
    await stack.send(run_id, "pause")
    await stack.seen(run_id, "run.paused")
    task = await at_rest(stack, run_id)
    await stack.send(run_id, "resume")
    assert (await stack.ended(run_id))["status"] == "completed"
    await reset_to(stack, run_id, task, signals=False)
    rewound = await stack.seen(run_id, "run.rewound")
    run = await standing(stack, run_id)
    assert (run["status"], [it["kind"] for it in run["waiting_for"]]) == ("paused", ["resume"])
    await stack.send(run_id, "resume")
    assert (await stack.ended(run_id))["output"] == "done"
    again = [event["type"] for event in (await stack.events(run_id))[rewound["seq"] :]]
    assert [it for it in again if it.startswith("run.")] == [
        "run.paused",
        "run.resumed",
        "run.completed",
    ]


@pytest.mark.parametrize("limits", [{"max_steps": 1}, {"max_tool_calls": 1}])
async def test_a_run_that_is_reset_to_where_it_asks_for_more_asks_anew(
    stack: DevStack, limits: dict[str, int]
) -> None:
    run_id = await stack.submit(
        TWO if "max_tool_calls" in limits else CALL, DONE, limits={**limits, "on_limit": "ask"}
    )
    await stack.seen(run_id, "approval.requested")
    task = await at_rest(stack, run_id)
    await stack.send(run_id, "approvals/approval_budget_1", decision="approve")
    assert (await stack.ended(run_id))["status"] == "completed"
    await reset_to(stack, run_id, task, signals=False)
    again = "approval_budget_e1_1"
    await stack.seen_text(run_id, again)
    run = await standing(stack, run_id)
    assert (run["status"], [it["id"] for it in run["waiting_for"]]) == ("waiting", [again])
    await stack.send(run_id, f"approvals/{again}", decision="approve")
    assert (await stack.ended(run_id))["output"] == "done"


async def test_a_run_that_is_reset_when_its_events_were_swept_fails_and_says_why(
    stack: DevStack,
) -> None:
    run_id = await stack.submit(CALL, DONE)
    await stack.seen(run_id, "tool.started")
    await stack.send(run_id, "pause")
    await stack.seen(run_id, "run.paused")
    task = await at_rest(stack, run_id)
    await stack.send(run_id, "resume")
    await stack.ended(run_id)
    journal = SqliteJournal(Path(stack.journal))
    await journal.sweep(datetime.now(UTC))
    await journal.close()
    await reset_to(stack, run_id, task, signals=False)
    async with asyncio.timeout(15):
        while (run := await standing(stack, run_id))["status"] != "failed":
            await asyncio.sleep(0.05)
    assert run["error"]["type"] == "journal-incomplete"
    assert "past retention" in run["error"]["message"]
    assert run["waiting_for"] == []
