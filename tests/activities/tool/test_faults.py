"""A journal that falters and a worker that shuts down cost a tool nothing but time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from relayline.activities.tool.call import ToolActivities
from relayline.catalog.tools import tool
from relayline.contracts.calls import ToolOutcome, ToolRequest
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.journal.port import Appended, Fence, Head, Journal, JournalUnavailable, OpenRun
from relayline.journal.table import Tenant
from tests.activities.tool.conftest import Bench


class Faltering:
    """A journal that does not answer appends of one type of event, so many times."""

    def __init__(self, journal: Journal, kind: str, times: int) -> None:
        self._journal = journal
        self._kind = kind
        self.left = times

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        if self.left and any(event.body.type == self._kind for event in events):
            self.left -= 1
            raise JournalUnavailable("no answer")
        return await self._journal.append(run_id, events, fence)

    async def read(
        self, tenant: Tenant, run_id: str, after: int = 0, limit: int = 1000, **more: Any
    ) -> list[StoredEvent]:
        return await self._journal.read(tenant, run_id, after, limit, **more)

    async def get(self, tenant: Tenant, run_id: str, key: str) -> StoredEvent | None:
        return await self._journal.get(tenant, run_id, key)

    async def fenced(self, run_id: str, scope: str) -> int:
        return await self._journal.fenced(run_id, scope)

    async def head(self, tenant: Tenant, run_id: str) -> Head | None:
        return await self._journal.head(tenant, run_id)

    def tail(
        self, tenant: Tenant, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncIterator[Sequence[StoredEvent]]:
        return self._journal.tail(tenant, run_id, after)

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        return await self._journal.open_runs(quiet_since, after, limit)

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        return await self._journal.sweep(older_than, limit)

    async def check(self) -> None:
        await self._journal.check()

    async def close(self) -> None:
        await self._journal.close()


async def test_a_finished_tool_waits_for_a_journal_that_falters(bench: Bench) -> None:
    ran: list[int] = []

    @tool(effects="unsafe")
    async def once() -> str:
        ran.append(1)
        return "done"

    await bench.plan("once", {})
    journal = Faltering(bench.journal, "tool.completed", times=2)
    assert (await bench.call(once, journal=journal)).preview == "done"
    assert (ran, journal.left) == ([1], 0)
    assert (await bench.result()).output == "done"


async def test_a_tool_does_not_run_while_the_journal_is_down(bench: Bench) -> None:
    ran: list[int] = []

    @tool(retries=0)
    async def once() -> None:
        ran.append(1)

    await bench.plan("once", {})
    with pytest.raises(ApplicationError) as raised:
        await bench.call(once, journal=Faltering(bench.journal, "tool.started", times=1))
    assert raised.value.type == ErrorType.JOURNAL_UNAVAILABLE
    assert not raised.value.non_retryable
    assert ran == []
    await bench.call(once, attempt=2)
    assert ran == [1]


@workflow.defn(name="OneCall", sandboxed=False)
class OneCall:
    @workflow.run
    async def run(self, request: ToolRequest) -> ToolOutcome:
        return await workflow.execute_activity_method(
            ToolActivities.call_tool,
            request,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=10),
        )


async def test_a_tool_cut_short_by_a_worker_that_shuts_down_runs_again_on_another(
    bench: Bench, temporal: Client
) -> None:
    ran: list[int] = []

    @tool(retries=0)
    async def long() -> str:
        ran.append(1)
        await asyncio.sleep(60 if len(ran) == 1 else 0)
        return "second time"

    await bench.plan("long", {})
    queue = f"tools-{uuid4().hex}"

    def worker() -> Worker:
        return Worker(
            temporal,
            task_queue=queue,
            workflows=[OneCall],
            activities=[ToolActivities(bench.journal, {"long": long}).call_tool],
            workflow_runner=UnsandboxedWorkflowRunner(),
            graceful_shutdown_timeout=timedelta(seconds=0.1),
        )

    async with worker():
        handle = await temporal.start_workflow(
            OneCall.run, bench.request(long.spec, "long"), id=bench.run_id, task_queue=queue
        )
        while not ran:
            await asyncio.sleep(0.02)
    assert await bench.types() == ["tool.started"]
    async with worker():
        assert (await handle.result()).preview == "second time"
    started = await bench.events("tool.started")
    assert [event.attempt for event in started] == [1, 2]
    assert await bench.types() == ["tool.started", "tool.started", "tool.completed"]
