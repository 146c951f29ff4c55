"""A worker that notices what must be told, where it can't read all of it."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.service import RPCError, RPCStatusCode

from relayline.journal.port import Unreadable
from relayline.teller import noticing


class Outbox:
    """Has a note that this process can't read, and deliveries that are due."""

    def __init__(self, *due: str) -> None:
        self._due = due

    async def plan(self, limit: int) -> int:
        raise Unreadable(f"none of {limit} notes can be read")

    async def due(self, now_us: int, limit: int) -> list[str]:
        return [*self._due] if now_us and limit else []


class Temporal:
    """Is told which workflows to start."""

    def __init__(self) -> None:
        self.started = asyncio.Event()

    async def start_workflow(self, *_: object, id: str, **__: object) -> None:  # noqa: A002
        if id == "webhook-wh_0":
            raise RPCError("no", RPCStatusCode.RESOURCE_EXHAUSTED, b"")
        assert id == "webhook-wh_1"
        self.started.set()


async def test_receivers_are_called_out_although_a_note_of_another_tenant_cannot_be_read() -> None:
    client: Any = Temporal()
    webhooks: Any = Outbox("wh_1")
    async with asyncio.timeout(60), noticing(client, webhooks):
        await client.started.wait()


async def test_receivers_are_called_out_although_temporal_refuses_one_before_them() -> None:
    client: Any = Temporal()
    webhooks: Any = Outbox("wh_0", "wh_1")
    async with asyncio.timeout(60), noticing(client, webhooks):
        await client.started.wait()
