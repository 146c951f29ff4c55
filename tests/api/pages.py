"""A reader of live pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.api.serving import Api, frames

Frame = tuple[str, str, Any]


class Page:
    """A live page: collects its frames, and keeps the list that they make."""

    def __init__(self, answer: httpx.Response) -> None:
        self.got: list[Frame] = []
        self.runs: dict[str, dict[str, Any]] = {}
        self.inbox: dict[str, dict[str, Any]] = {}
        self.counts: dict[str, Any] = {}
        self.newest_id = ""
        self._frames = frames(answer)
        self._task = asyncio.create_task(self._collect())

    async def _collect(self) -> None:
        async for id_, kind, data in self._frames:
            body = json.loads(data)
            self.got.append((id_, kind, body))
            self.newest_id = id_ or self.newest_id
            match kind:
                case "runs":
                    self.runs |= {item["run_id"]: item for item in body["upsert"]}
                    for name in body["gone"]:
                        del self.runs[name]
                case "inbox":
                    self.inbox |= {item["item_id"]: item for item in body["upsert"]}
                    for name in body["gone"]:
                        del self.inbox[name]
                case "counts":
                    self.counts = body

    def events(self) -> list[dict[str, Any]]:
        """Envelopes of runs, in the order in which they came."""
        return [body for _, kind, body in self.got if kind == "run.event"]

    def kinds(self) -> set[str]:
        return {kind for _, kind, _ in self.got}

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def looking(
    api: Api, params: dict[str, Any], last_event_id: str | None = None
) -> AsyncIterator[Page]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with api.http.stream("GET", "/v1/live", params=params, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        page = Page(answer)
        try:
            yield page
        finally:
            await page.close()
