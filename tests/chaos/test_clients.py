"""A follower stays until it has seen the end, and not another one that was there before."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import httpx
import pytest

from tests.chaos.clients import Apis, Follower

TYPES = ["run.started", "message.delta", "run.completed", "run.rewound", "run.completed"]
EVENTS: list[dict[str, Any]] = [
    {"seq": seq, "type": kind, "data": {}} for seq, kind in enumerate(TYPES, 1)
]


class Served:
    """The events of a run, as the API gives them."""

    def __init__(self, last: int) -> None:
        self.last = last

    def answer(self, request: httpx.Request) -> httpx.Response:
        """A stream, or a page."""
        streams = request.headers["Accept"] == "text/event-stream"
        cursor = request.headers.get("Last-Event-ID") or request.url.params["after"]
        events = EVENTS[int(cursor) : self.last]
        if not streams:
            return httpx.Response(200, json={"events": events})
        frames = (f"id: {it['seq']}\ndata: {json.dumps(it)}\n\n" for it in events)
        stream = httpx.ByteStream("".join(frames).encode())
        return httpx.Response(200 if events else 204, stream=stream)


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_saw_a_reset_sees_the_end_that_follows(seed: int) -> None:
    served = Served(3)
    async with httpx.AsyncClient(transport=httpx.MockTransport(served.answer)) as http:
        random = Random(seed)  # noqa: S311
        follower = Follower(Apis(http, ["http://api"], random), "run_1", random)
        await follower.follow()
        served.last = len(EVENTS)
        await follower.follow()
    got = {seq for connection in follower.connections for seq, _ in connection.frames}
    assert got == {1, 2, 3, 4, 5}
