"""A client of the API's WebSockets, for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.api.serving import Api

PROTOCOL = "relayline.v1"
WAIT_S = 60


class Speaker:
    """One open socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []

    async def send(self, command: str, **fields: Any) -> dict[str, Any]:
        """The answer to a command."""
        await self.connection.send(json.dumps({"command": command, **fields}))
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """The next answer."""
        count = len(self.answers)
        while len(self.answers) == count:
            await self.read()
        return self.answers[-1]

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """All events so far, as soon as one has that type."""
        while not any(it["type"] == kind for it in self.events):
            await self.read()
        return self.events

    async def read(self) -> None:
        """Take one frame."""
        async with asyncio.timeout(WAIT_S):
            frame = json.loads(await self.connection.recv())
        (self.answers if {"receipt", "problem"} & frame.keys() else self.events).append(frame)

    async def closed(self) -> tuple[int, str]:
        """How the server closes it; reads all that comes before."""
        with suppress(ConnectionClosed):
            while True:
                await self.read()
        code, reason = self.connection.close_code, self.connection.close_reason
        assert code is not None
        return code, reason or ""


@asynccontextmanager
async def socket(
    api: Api,
    run: str,
    query: str = "",
    *,
    protocols: Sequence[str] = (PROTOCOL,),
    headers: dict[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Speaker]:
    """An open socket of the run."""
    url = f"ws://{api.host}:{api.port}/v1/runs/{run}/socket{query}"
    connection = connect(
        url,
        subprotocols=list(protocols),  # type: ignore[arg-type]
        additional_headers=headers,
        open_timeout=WAIT_S,
        proxy=None,
        **options,
    )
    async with connection as opened:
        yield Speaker(opened)
