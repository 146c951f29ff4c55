"""A client that goes from one API process to the next in the middle of a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from itertools import cycle
from typing import TYPE_CHECKING

import httpx

from relayline.client.streams.sse import SseParser
from relayline.contracts.events import TERMINAL_TYPES
from tests.chaos.observed import Connection, Event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

EVERY = 20
"""Events that are taken from one process."""
_TIMEOUT_S = 60
_AGAIN_S = 0.5


def unbounded_http() -> httpx.AsyncClient:
    """A client that opens as many connections as are wanted; close it."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    return httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits)


async def hop(http: httpx.AsyncClient, apis: Sequence[str], run_id: str) -> list[Connection]:
    """Follow the run to its end: `EVERY` events from one process, the next from another.

    Each connection asks to go on after the newest event that came. One that is turned away (503)
    brings nothing, and the next is tried a little later.
    """
    connections: list[Connection] = []
    newest, over = 0, False
    for url in cycle(apis):
        frames: list[tuple[int, Event]] = []
        connections.append(Connection(newest, frames))
        async with aclosing(_frames(http, f"{url}/v1/runs/{run_id}/events", newest)) as coming:
            async for seq, event in coming:
                frames.append((seq, event))
                newest = max(newest, seq)
                over = event["type"] in TERMINAL_TYPES
                if over or len(frames) == EVERY:
                    break
        if over:
            return connections
    raise AssertionError("there are no API processes")


async def _frames(
    http: httpx.AsyncClient, url: str, after: int
) -> AsyncGenerator[tuple[int, Event], None]:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    async with http.stream("GET", url, headers=headers) as answer:
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            await asyncio.sleep(_AGAIN_S)
            return
        answer.raise_for_status()
        parser = SseParser()
        async for chunk in answer.aiter_raw():
            for frame in parser.feed(chunk):
                if frame.id is not None:
                    yield int(frame.id), json.loads(frame.data)


def missed_and_doubled(connections: Sequence[Connection], stored: int) -> tuple[int, int]:
    """Of a journal of `stored` events: how many never came, and how many came more than once."""
    seqs = [seq for connection in connections for seq, _ in connection.frames]
    seen = set(seqs)
    return len(set(range(1, stored + 1)) - seen), len(seqs) - len(seen)
