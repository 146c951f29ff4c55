"""Clients that follow a run's stream through trouble, and note all that they are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from relayline.contracts.envelope import Envelope
from relayline.contracts.events import TERMINAL_TYPES
from relayline.projections.rendered import Rendered
from tests.dev_stack import DevStack

AWAY_S = 0.1
"""Before a client whose server is away tries again."""


class Watcher:
    """One client: every connection resumes after the newest event that it has."""

    def __init__(self, url: Callable[[], str], run_id: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.notices: list[str] = []
        """Reasons of each `worker.unavailable`."""
        self.heartbeats = 0
        self.refusals: list[httpx.Response] = []
        self.last_lines: list[str] = []
        """The last line that is not empty of each connection that the server ended."""
        self.broken = 0
        """Connections that broke off without an end."""
        self._url = url
        self._path = f"/v1/runs/{run_id}/events"

    @property
    def over(self) -> bool:
        """True once the terminal event is there."""
        return bool(self.events) and self.events[-1]["type"] in TERMINAL_TYPES

    async def follow(self) -> None:
        """Until the run has ended."""
        async with httpx.AsyncClient(timeout=10) as http:
            while not self.over:
                try:
                    await self._connection(http)
                except httpx.ConnectError:
                    await asyncio.sleep(AWAY_S)
                except httpx.TransportError:
                    self.broken += 1

    async def _connection(self, http: httpx.AsyncClient) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.events:
            headers["Last-Event-ID"] = str(self.events[-1]["seq"])
        async with http.stream("GET", self._url() + self._path, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                await answer.aread()
                self.refusals.append(answer)
                await asyncio.sleep(AWAY_S)
                return
            last = ""
            async for line in answer.aiter_lines():
                self._line(line)
                last = line or last
        self.last_lines.append(last)
        if last.startswith("retry:"):
            await asyncio.sleep(int(last.partition(":")[2]) / 1000)

    def _line(self, line: str) -> None:
        name, _, value = line.partition(":")
        if not name and line:
            self.heartbeats += 1
        elif name == "data":
            event = json.loads(value)
            if "seq" in event:
                self.events.append(event)
            else:
                assert event["type"] == "worker.unavailable"
                self.notices.append(event["data"]["reason"])


@asynccontextmanager
async def watching(
    stack: DevStack, *run_ids: str, each: int = 1
) -> AsyncIterator[list[list[Watcher]]]:
    """So many watchers for each run; the block ends when all runs have ended for all of them."""

    def url() -> str:
        found: str = stack.state["api"]["url"]
        return found

    watchers = [[Watcher(url, run_id) for _ in range(each)] for run_id in run_ids]
    tasks = [asyncio.create_task(one.follow()) for of_run in watchers for one in of_run]
    try:
        yield watchers
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def streaming(*watchers: Watcher) -> None:
    """Wait until each of them has seen words of the model."""
    async with asyncio.timeout(30):
        while any("message.delta" not in [e["type"] for e in one.events] for one in watchers):
            await asyncio.sleep(0.01)


async def check_whole(stack: DevStack, run_id: str, *watchers: Watcher) -> list[dict[str, Any]]:
    """The run completed; what each client got is the journal, and reads as it is stored."""
    journal = await stack.events(run_id)
    assert journal[-1]["type"] == "run.completed", journal[-1]
    assert [event["seq"] for event in journal] == list(range(1, len(journal) + 1))
    for watcher in watchers:
        assert watcher.events == journal
    rendered = Rendered()
    for event in journal:
        rendered = rendered.apply(Envelope.model_validate(event))
    messages = [event for event in journal if event["type"] == "message.completed"]
    assert len({event["step"] for event in messages}) == len(messages)
    for event in messages:
        assert rendered.text(event["step"]) == event["data"]["text"]
    ended = [e["data"]["call_id"] for e in journal if e["type"] == "tool.completed"]
    assert len(set(ended)) == len(ended)
    return journal


def refused(answer: httpx.Response, problem: str) -> None:
    """It is a 503 that says what is missing and when to come back."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"].isdigit()
    assert answer.json()["type"] == f"urn:relayline:problem:{problem}"


async def readiness(stack: DevStack) -> dict[str, str]:
    """What `/readyz` says of each part."""
    answer = await stack.client.get("/readyz")
    parts: dict[str, str] = answer.json()["parts"]
    well = all(state == "ok" for state in parts.values())
    assert answer.status_code == (200 if well else 503)
    assert well or answer.headers["retry-after"].isdigit()
    return parts


async def ready(stack: DevStack) -> None:
    """Wait until nothing is missing."""
    async with asyncio.timeout(30):
        while True:
            with suppress(httpx.TransportError):
                if set((await readiness(stack)).values()) == {"ok"}:
                    return
            await asyncio.sleep(0.05)


async def beating(watchers: list[Watcher], times: int) -> None:
    """Wait until the streams of all are kept alive by so many comments."""
    async with asyncio.timeout(60):
        while min(watcher.heartbeats for watcher in watchers) < times:
            await asyncio.sleep(0.05)
