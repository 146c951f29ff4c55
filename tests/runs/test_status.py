"""Where a run stands, as told by Temporal's memo and search attributes."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.dev_stack import DevStack


async def standing(stack: DevStack, run_id: str) -> dict[str, Any]:
    """What `GET /v1/runs/{id}` says."""
    run: dict[str, Any] = (await stack.client.get(f"/v1/runs/{run_id}")).json()
    return run


async def test_a_run_is_told_as_running_from_its_first_step_on(stack: DevStack) -> None:
    call = {"call": "calculate", "arguments": {"expression": "1+1"}}
    run_id = await stack.submit(
        {"tokens": 100, "every_ms": 20}, call, {"tokens": 500, "every_ms": 20}
    )
    await stack.seen(run_id, "message.delta")
    run = await standing(stack, run_id)
    assert (run["status"], run["step"]) == ("running", 1)
    await stack.seen(run_id, "tool.completed")
    async with asyncio.timeout(15):
        while (await standing(stack, run_id))["step"] != 2:
            await asyncio.sleep(0.02)
    run = await standing(stack, run_id)
    assert run["status"] == "running"
    assert run["usage"]["output_tokens"] > 0
    await stack.client.post(f"/v1/runs/{run_id}/cancel", json={"reason": "seen enough"})
    assert (await stack.ended(run_id))["status"] == "cancelled"
