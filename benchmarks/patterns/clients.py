"""The clients of the four: they wait, poll or listen, and begin again as real ones do.

All of them: a gateway that gives up after 60 s without an answer, new attempts after 1, 2, 4, and
then every 8 s, less up to half at random, and a user who leaves after 180 s.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.sse import Frame, JsonBody, Reply, fetch, open_stream

GATEWAY_S, POLL_S, GIVE_UP_S = 60.0, 5.0, 180.0
"""On the workload's clock."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 8.0
_SPREAD = 0.5
_ANSWER_S = 30.0
"""Real seconds that a short request may take."""


class Refused(Exception):
    """The server said no, or was not there."""


class Failed(Exception):
    """The server had the work, and it failed there."""


class Broken(Exception):
    """The connection ended before the answer did."""


@dataclass
class Seen:
    """What one user saw; times are real, seconds since 1970."""

    job: str
    began: float = 0.0
    accepted: float | None = None
    """The server had the work: its first answer."""
    first: float | None = None
    """The first text came."""
    ended: float | None = None
    """The whole answer was there."""
    submissions: int = 0
    """Times that the work was handed in."""
    refused: int = 0
    timed_out: int = 0
    failed: int = 0
    broken: int = 0
    resumed: int = 0
    """Streams that were broken off and continued where they had stopped."""

    def accepted_at(self, at: float) -> None:
        """The first time counts."""
        self.accepted = self.accepted or at

    def first_at(self, at: float) -> None:
        """The first time counts."""
        self.first = self.first or at


class Target(NamedTuple):
    """Where a client asks, and on which clock."""

    url: str
    factor: float


Client = Callable[[Target, Seen], Awaitable[None]]
"""One attempt, until the answer is there.

Raises:
    Refused, Failed, Broken, TimeoutError: it is not.
"""


async def use(client: Client, target: Target, seen: Seen) -> None:
    """Try until there is an answer, as long as a user would."""
    seen.began = time.time()
    try:
        async with asyncio.timeout(GIVE_UP_S / target.factor):
            pause_s = FIRST_PAUSE_S
            while not await _tried(client, target, seen):
                spread = 1 - _SPREAD * random.random()  # noqa: S311  no secret
                await asyncio.sleep(pause_s * spread / target.factor)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    except TimeoutError:
        return  # the user has left: `ended` tells


async def _tried(client: Client, target: Target, seen: Seen) -> bool:
    seen.submissions += 1
    try:
        await client(target, seen)
    except TimeoutError:
        seen.timed_out += 1
    except Failed:
        seen.failed += 1
    except (Broken, ConnectionResetError, ValueError):  # ValueError: closed within the head
        seen.broken += 1
    except (Refused, OSError):
        seen.refused += 1
    else:
        return True
    return False


async def _ask(url: str, body: JsonBody | None = None, key: str = "") -> Reply:
    """The answer to a short request, which may have an idempotency key.

    Raises:
        Refused: it is not 2xx.
    """
    headers = {"Idempotency-Key": key} if key else None
    _, reply = await fetch(url, body=body, stream=False, timeout_s=_ANSWER_S, headers=headers)
    if reply.status // 100 != 2:
        raise Refused(str(reply.status))
    return reply


async def wait(target: Target, seen: Seen) -> None:
    """Of the synchronous API: wait for the answer."""
    body, within_s = {"job": seen.job}, GATEWAY_S / target.factor
    _, reply = await fetch(f"{target.url}/answers", body=body, stream=False, timeout_s=within_s)
    if reply.status == 502:
        raise Failed(reply.json()["detail"])
    if reply.status != 200:
        raise Refused(str(reply.status))
    seen.accepted_at(reply.headed_at)
    seen.first_at(reply.headed_at)
    seen.ended = time.time()


async def poll(target: Target, seen: Seen) -> None:
    """Of the queue: submit, then ask every few seconds."""
    reply = await _ask(f"{target.url}/jobs", {"job": seen.job})
    seen.accepted_at(reply.headed_at)
    url = f"{target.url}/jobs/{reply.json()['id']}"
    while True:
        await asyncio.sleep(POLL_S / target.factor)
        try:
            found = (await _ask(url)).json()
        except (Refused, OSError, ValueError):
            seen.refused += 1  # ask again: the job is in the queue
            continue
        if found["text"]:
            seen.first_at(time.time())
        if found["state"] == "SUCCESS":
            seen.ended = time.time()
            return
        if found["state"] == "FAILURE":
            raise Failed("the task failed")


async def listen(target: Target, seen: Seen) -> None:
    """Of the stream: listen until it is done; a new one begins from the start."""
    reply = await _listened(f"{target.url}/streams", {"job": seen.job})
    if reply.status != 200:
        raise Refused(str(reply.status))
    seen.accepted_at(reply.headed_at)
    frames = reply.frames()
    for frame in frames:
        if frame.type == "text":
            seen.first_at(frame.at)
    _end(seen, frames, done="done", failed="error")


async def follow(target: Target, seen: Seen) -> None:
    """Of Relayline: submit under a key, then follow the run's events; a new stream continues.

    Only a run that has failed is submitted again as another run.
    """
    key = uuid.uuid5(uuid.NAMESPACE_URL, f"{seen.job}/{seen.began}/{seen.failed}").hex
    body = {"agent": "patterns", "input": json.dumps({"job": seen.job})}
    reply = await _ask(f"{target.url}/v1/runs", body, key)
    seen.accepted_at(reply.headed_at)
    events, after = f"{target.url}/v1/runs/{reply.json()['run_id']}/events", 0
    while True:
        frames = await _frames(f"{events}?after={after}")
        for frame in frames:
            after = frame.id or after
            if frame.type == "message.delta":
                seen.first_at(frame.at)
        if frames and frames[-1].type in {"run.completed", "run.failed"}:
            return _end(seen, frames, done="run.completed", failed="run.failed")
        seen.resumed += 1
        await asyncio.sleep(FIRST_PAUSE_S / target.factor)


async def _frames(url: str) -> list[Frame]:
    """What a stream said; nothing from a server that is not there."""
    try:
        reply = await _listened(url)
    except (OSError, ValueError):
        return []
    return reply.frames() if reply.status == 200 else []


async def _listened(url: str, body: JsonBody | None = None) -> Reply:
    """What was said until the connection was closed."""
    transport, recorder = await open_stream(url, body=body)
    try:
        await recorder.closed
    finally:
        transport.close()
    return recorder.reply()


def _end(seen: Seen, frames: list[Frame], *, done: str, failed: str) -> None:
    """Take in how a stream ended.

    Raises:
        Failed: the work failed.
        Broken: the stream ended before it.
    """
    last = frames[-1] if frames else None
    if last and last.type == done:
        seen.ended = last.at
    elif last and last.type == failed:
        raise Failed(last.data.decode())
    else:
        raise Broken
