"""A tool that kills its worker each time is given up, and does not drag its neighbours along."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from relayline.api.temporal.stuck import WORKER_LOST
from relayline.contracts.errors import ErrorType
from tests.dev_stack import DevStack


@pytest.mark.stack
@pytest.mark.timeout(240)
async def test_a_tool_that_takes_its_worker_along_is_given_up_and_its_neighbour_is_not(
    tmp_path: Path,
) -> None:
    async with DevStack(tmp_path, RELAYLINE_MAX_WORKER_LOSSES="2") as stack:
        deadly = await stack.submit({"call": "collapse"}, {"say": "done"}, agent="deadly")
        await stack.seen(deadly, "tool.started")
        beside = await stack.submit({"say": "word " * 100, "every_ms": 30})
        run, said = await looked_at(stack, deadly)
        assert run["status"] == "completed"
        assert f"{WORKER_LOST}: collapse, 1 of 2 times" in said
        events = await stack.events(deadly)
        [failed] = (event["data"] for event in events if event["type"] == "tool.failed")
        assert failed["error_type"] == ErrorType.WORKER_LOST
        assert "taken its worker along 2 times" in failed["error"]
        lost = [event["data"] for event in events if event["type"] == "attempt.lost"]
        counted = [it["counted"] for it in lost]
        assert counted == sorted(counted)
        assert {*counted} == {0, 1, 2}, "a loss beside another suspect is told, and does not count"
        assert sum(event["type"] == "tool.started" for event in events) == len(lost)
        assert (await stack.ended(beside))["status"] == "completed"


async def looked_at(stack: DevStack, run_id: str) -> tuple[dict[str, str], set[str | None]]:
    """The run when it has ended, and what its `attention` has said until then."""
    said = set[str | None]()
    async with asyncio.timeout(150):
        while True:
            run = (await stack.client.get(f"/v1/runs/{run_id}")).json()
            if run["ended_at"]:
                return run, said
            said.add(run["attention"])
            await asyncio.sleep(0.1)
