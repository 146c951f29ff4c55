"""A real journal with a model's answer in it, and a bench that runs `call_tool` on it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from relayline.activities.tool.call import ToolActivities
from relayline.catalog.tools import Tool
from relayline.contracts.calls import PlannedCall, ToolOutcome, ToolRequest
from relayline.contracts.envelope import NewEvent, Outbox, StoredEvent
from relayline.contracts.events import MessageCompleted
from relayline.contracts.keys import message_key, result_key
from relayline.contracts.messages import ToolCall
from relayline.contracts.runs import ToolSpec
from relayline.journal.port import Journal
from relayline.journal.table import EVERY

CALL = "call_1_0"
NOTHING = Outbox()
RUN_CANCELLED = ActivityCancellationDetails(cancel_requested=True)
WORKER_STOPS = ActivityCancellationDetails(worker_shutdown=True)


class Bench:
    """One run in step 1 whose model asked for one tool call."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.run_id = f"run_{uuid4().hex}"
        self.heartbeats = 0

    async def plan(self, name: str, arguments: Mapping[str, Any]) -> None:
        """The model's answer of step 1 asks for this call."""
        calls = (
            ToolCall(call_id="call_1_1", name="another"),
            ToolCall(call_id=CALL, name=name, arguments=dict(arguments)),
        )
        body = MessageCompleted(text="", tool_calls=calls, finish_reason="tool_calls")
        event = NewEvent(body=body, step=1, key=message_key(0, 1))
        await self.journal.append(self.run_id, [event])

    def start(
        self, tool: Tool | None, attempt: int = 1, **changes: Any
    ) -> tuple[asyncio.Task[ToolOutcome], ActivityEnvironment]:
        """Start an attempt; changes: fields of the request, `spec`, `name`, `journal`, …"""
        spec: ToolSpec | None = changes.get("spec", tool.spec if tool else None)
        name: str = changes.get("name", spec.name if spec else "nothing")
        fields: dict[str, Any] = {it: changes[it] for it in ("approval_id", "run") if it in changes}
        request = self.request(spec, name, changes.get("outbox", NOTHING)).model_copy(update=fields)
        if plan := changes.get("mcp"):
            request = request.model_copy(
                update={"call": request.call.model_copy(update={"mcp": plan})}
            )
        activities = ToolActivities(
            changes.get("journal", self.journal),
            {tool.spec.name: tool} if tool else {},
            stop_bound_s=changes.get("stop_bound_s", 5),
            threads=changes.get("threads"),
            clean=changes.get("clean", str),
            servers=changes.get("servers"),
            secrets=changes.get("secrets", {}),
            images=changes.get("images"),
        )
        env = ActivityEnvironment()
        env.info = dataclasses.replace(env.info, attempt=attempt)
        env.on_heartbeat = self._beat
        return asyncio.ensure_future(env.run(activities.call_tool, request)), env

    def request(self, spec: ToolSpec | None, name: str, outbox: Outbox = NOTHING) -> ToolRequest:
        call = PlannedCall(call_id=CALL, name=name)
        return ToolRequest(run_id=self.run_id, epoch=0, step=1, call=call, tool=spec, outbox=outbox)

    async def call(self, tool: Tool | None, attempt: int = 1, **changes: Any) -> ToolOutcome:
        """One attempt, to its end."""
        task, _ = self.start(tool, attempt, **changes)
        return await task

    async def run(self, tool: Tool, **arguments: Any) -> ToolOutcome:
        """Plan the call and run its first attempt."""
        await self.plan(tool.spec.name, arguments)
        return await self.call(tool)

    async def events(self, prefix: str = "tool.") -> list[StoredEvent]:
        events = await self.journal.read(EVERY, self.run_id)
        return [event for event in events if event.type.startswith(prefix)]

    async def types(self) -> list[str]:
        return [event.type for event in await self.events()]

    async def result(self) -> Any:
        """The body of the fact that ends the call, None while there is none."""
        stored = await self.journal.get(EVERY, self.run_id, result_key(0, CALL))
        return stored.body() if stored else None

    def _beat(self, *_: object) -> None:
        self.heartbeats += 1


@pytest.fixture
def bench(journal: Journal) -> Bench:
    return Bench(journal)


async def failure(
    bench: Bench, tool: Tool | None, attempt: int = 1, **changes: Any
) -> ApplicationError:
    """The failure of an attempt, which stays out of the logs."""
    with pytest.raises(ApplicationError) as raised:
        await bench.call(tool, attempt, **changes)
    assert raised.value.category is ApplicationErrorCategory.BENIGN
    return raised.value
