"""A tool that kills its worker each time is given up, and does not drag its neighbours along."""

from __future__ import annotations

import asyncio

from relayline.api.temporal.stuck import WORKER_LOST
from relayline.contracts.errors import ErrorType
from tests.dev_stack import DevStack


async def test_a_tool_that_takes_its_worker_along_is_given_up_and_its_neighbour_is_not(
    stack: DevStack,
) -> None:
    deadly = await stack.submit({"call": "collapse"}, {"say": "done"}, agent="deadly")
    await stack.seen(deadly, "tool.started")
    beside = await stack.submit({"say": "word " * 100, "every_ms": 30})
    said = set[str | None]()
    async with asyncio.timeout(60):
        while (view := await stack.client.get(f"/v1/runs/{deadly}")).json()["status"] == "running":
            said.add(view.json()["attention"])
            await asyncio.sleep(0.1)
    assert view.json()["status"] == "completed"
    assert f"{WORKER_LOST}: collapse, 1 of 3 times" in said
    events = await stack.events(deadly)
    [failed] = (event["data"] for event in events if event["type"] == "tool.failed")
    assert failed["error_type"] == ErrorType.WORKER_LOST
    assert "taken its worker along 3 times" in failed["error"]
    lost = [event["data"] for event in events if event["type"] == "attempt.lost"]
    assert [it["counted"] for it in lost] == [0, 1, 2, 3]
    assert sum(event["type"] == "tool.started" for event in events) == len(lost)
    assert (await stack.ended(beside))["status"] == "completed"
