"""A follower stays until it has seen the end, and not another one that was there before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from random import Random
from typing import Any, cast

import httpx
import pytest

from tests.chaos.campaign import Load, Watched
from tests.chaos.clients import Apis, Follower, Person
from tests.chaos.plans import plan
from tests.chaos.stacks import Stack

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


class Waiting:
    """A follower that has seen more each time that somebody asks, up to a point."""

    def __init__(self, most: int) -> None:
        self.asked = 0
        self._most = most

    @property
    def newest(self) -> int:
        self.asked += 1
        return min(self.asked, self._most)


async def test_a_load_is_given_up_once_nobody_sees_anything_new() -> None:
    load, random = Load(cast("Stack", None), 1), Random(1)  # noqa: S311
    apis = Apis(cast("httpx.AsyncClient", None), ["http://api"], random)
    person, follower = Person(apis, "run_1", plan(random), random), Waiting(most=3)
    load.watched.append(Watched("run_1", plan(random), person, [cast("Follower", follower)]))
    playing = asyncio.create_task(cast("Coroutine[None, None, None]", asyncio.Event().wait()))
    await load.ended(playing, still_s=0.01)
    assert playing.cancelled()
    assert follower.asked == 4  # the fourth time showed nothing new
    await load.close()
