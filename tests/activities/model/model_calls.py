"""A run in a real journal, and one attempt after another of its model calls."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Any

from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment

from relayline.activities.model.call import ModelActivities
from relayline.activities.model.port import FinishPart, ModelPart, ModelProvider, Prompt, TextPart
from relayline.activities.tool.mcp.port import McpTools
from relayline.contracts.calls import ModelRequest, ModelResult
from relayline.contracts.envelope import NewEvent, Outbox, StoredEvent
from relayline.contracts.events import EventBody, MessageInterrupted, StepStarted, UserMessageEvent
from relayline.contracts.messages import Usage
from relayline.contracts.runs import AgentSpec
from relayline.journal.port import Appended, Fence, Head, Journal, OpenRun
from relayline.journal.table import EVERY, Tenant

USER_ASKED = ActivityCancellationDetails(cancel_requested=True)
SHUTDOWN = ActivityCancellationDetails(worker_shutdown=True)


def script(*items: object) -> str:
    return json.dumps({"rehearse": items})


class GatedJournal:
    """A journal in front of another, that can be made slow or made to fail."""

    def __init__(self, inner: Journal) -> None:
        self._inner = inner
        self.before_append: Callable[[Sequence[NewEvent]], None] = lambda _: None
        self.open = asyncio.Event()
        self.open.set()
        self.appends: list[tuple[float, Sequence[NewEvent]]] = []

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        self.appends.append((asyncio.get_running_loop().time(), events))
        self.before_append(events)
        await self.open.wait()
        return await self._inner.append(run_id, events, fence)

    async def read(
        self, tenant: Tenant, run_id: str, after: int = 0, limit: int = 1000, **more: Any
    ) -> list[StoredEvent]:
        return await self._inner.read(tenant, run_id, after, limit, **more)

    async def get(self, tenant: Tenant, run_id: str, key: str) -> StoredEvent | None:
        return await self._inner.get(tenant, run_id, key)

    async def fenced(self, run_id: str, scope: str) -> int:
        return await self._inner.fenced(run_id, scope)

    async def head(self, tenant: Tenant, run_id: str) -> Head | None:
        return await self._inner.head(tenant, run_id)

    def tail(
        self, tenant: Tenant, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        return self._inner.tail(tenant, run_id, after)

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        return await self._inner.open_runs(quiet_since, after, limit)

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        return await self._inner.sweep(older_than, limit)

    async def check(self) -> None:
        await self._inner.check()

    async def close(self) -> None:
        await self._inner.close()


class Canned:
    """A provider that says what it is given, and then falls silent, raises or ends."""

    def __init__(
        self, *parts: ModelPart, error: Exception | None = None, silent: bool = False
    ) -> None:
        self._parts = parts
        self._error = error
        self._silent = silent
        self.prompts: list[Prompt] = []
        self.closed = asyncio.Event()

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        self.prompts.append(prompt)
        try:
            for part in self._parts:
                yield part
            if self._error:
                raise self._error
            if self._silent:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


def finished(*parts: ModelPart) -> Canned:
    return Canned(*parts, FinishPart("stop", Usage(input_tokens=3, output_tokens=2)))


def half(text: str = "half an ans") -> Canned:
    return Canned(TextPart(text), silent=True)


class Run:
    """One run with its journal."""

    def __init__(self, journal: Journal, said: str = "hi", model: str = "rehearsal") -> None:
        self.journal = journal
        self.id = f"run_{uuid.uuid4().hex}"
        self.agent = AgentSpec(name="tester", instructions="Be brief.", model=model)
        self._said = said
        self.servers: McpTools | None = None
        """MCP servers of the worker."""

    def request(self, step: int = 1) -> ModelRequest:
        facts = (
            NewEvent(key="0/message/0", body=UserMessageEvent(text=self._said)),
            NewEvent(key=f"0/step/{step}/started", step=step, body=StepStarted(model="m")),
        )
        outbox = Outbox(facts=facts)
        return ModelRequest(run_id=self.id, epoch=0, step=step, agent=self.agent, outbox=outbox)

    def start(
        self,
        provider: ModelProvider | Callable[[str], ModelProvider],
        *,
        attempt: int = 1,
        step: int = 1,
    ) -> tuple[ActivityEnvironment, asyncio.Task[ModelResult]]:
        """An attempt under way, and the means to cancel it."""
        env = ActivityEnvironment()
        env.info = dataclasses.replace(env.info, attempt=attempt)
        providers = provider if callable(provider) else lambda _: provider
        activities = ModelActivities(self.journal, providers, servers=self.servers)

        async def call() -> ModelResult:
            await self._have_message(step - 1)
            return await env.run(activities.call_model, self.request(step))

        return env, asyncio.create_task(call())

    async def _have_message(self, step: int) -> None:
        """That step has left a message, as every step does before the next."""
        key = f"0/step/{step}/message"
        if step and await self.journal.get(EVERY, self.id, key) is None:
            left = NewEvent(key=key, step=step, body=MessageInterrupted(text=""))
            await self.journal.append(self.id, [left])

    async def call(
        self,
        provider: ModelProvider | Callable[[str], ModelProvider],
        *,
        attempt: int = 1,
        step: int = 1,
    ) -> ModelResult:
        """An attempt from its start to its end."""
        return await self.start(provider, attempt=attempt, step=step)[1]

    async def events(self) -> list[StoredEvent]:
        return await self.journal.read(EVERY, self.id)

    async def types(self) -> list[str]:
        return [event.type for event in await self.events()]

    async def bodies(self, kind: str) -> list[EventBody]:
        return [event.body() for event in await self.events() if event.type == kind]

    async def until(self, kind: str) -> None:
        """Wait for an event of that type."""
        async with asyncio.timeout(5):
            while kind not in await self.types():
                await asyncio.sleep(0.005)
