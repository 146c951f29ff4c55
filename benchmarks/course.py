"""One run that is redirected once and then cancelled, and what that took."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from benchmarks import notes
from benchmarks.sse import Frame, JsonBody, Recorder, Reply, fetch, open_stream
from benchmarks.stop_tools import HOLD_S, agent, run_command, shell_command

TOKEN_MS = 50


class Busy(StrEnum):
    """What a run is busy with."""

    ASYNC = "async tool"
    THREAD = "thread tool"
    SUBPROCESS = "subprocess"
    """Of a safe tool: of an unsafe one a redirect would wait for the end."""
    APPROVED = "approved subprocess"
    """Of `run_command`."""
    MODEL = "model stream"


class Course(NamedTuple):
    """What a run is busy with when it is redirected, and what when it is cancelled."""

    redirected: Busy
    cancelled: Busy


COURSES = (
    Course(Busy.ASYNC, Busy.THREAD),
    Course(Busy.THREAD, Busy.APPROVED),
    Course(Busy.SUBPROCESS, Busy.MODEL),
    Course(Busy.MODEL, Busy.ASYNC),
)


@dataclass
class Times:
    """Milliseconds since a POST was sent, by what the run was busy with."""

    redirected: defaultdict[Busy, list[float]] = field(default_factory=lambda: defaultdict(list))
    cancelled: defaultdict[Busy, list[float]] = field(default_factory=lambda: defaultdict(list))
    told: list[float] = field(default_factory=list)
    """Until the provider has got the model call with a redirect's message."""
    approved: list[float] = field(default_factory=list)
    """Until a viewer has got the approved tool's `tool.started`."""


def order(busy: Busy, note: str) -> str:
    """What the model is told to make the run busy with that; see `benchmarks.provider`."""
    match busy:
        case Busy.MODEL:
            told: JsonBody = {"tokens": HOLD_S * 1000 // TOKEN_MS, "every_ms": TOKEN_MS}
        case Busy.ASYNC | Busy.THREAD:
            name = "hold" if busy is Busy.ASYNC else "grind"
            told = {"call": name, "arguments": {"note": note}}
        case Busy.SUBPROCESS | Busy.APPROVED:
            name = "run_safely" if busy is Busy.SUBPROCESS else run_command.spec.name
            told = {"call": name, "arguments": {"command": shell_command(note)}}
    return json.dumps({"note": note, **told})


async def submit(runs: str, text: str) -> str:
    """Start a run of the agent `stopped`; its URL."""
    _, reply = await post(runs, {"agent": agent.name, "input": text})
    return f"{runs}/{reply.json()['run_id']}"


async def post(url: str, body: JsonBody) -> tuple[float, Reply]:
    """When it was sent, and the reply, which is 202."""
    sent_at, reply = await fetch(url, body=body, stream=False)
    assert reply.status == 202, (url, reply)
    return sent_at, reply


async def take(
    runs: str, course: Course, note: str, times: Times, pause: Callable[[], float]
) -> None:
    """Go through a course; every wait is bounded.

    Args:
        runs: Where runs are submitted.
        course: The course.
        note: What the names of its notes begin with.
        times: Where the times go.
        pause: Seconds that the run is left alone before each command.

    Raises:
        TimeoutError: something did not happen.
    """
    first, second = f"{note}-1", f"{note}-2"
    run = await submit(runs, order(course.redirected, first))
    await notes.wait(first, "started")
    await asyncio.sleep(pause())
    sent_at, _ = await post(f"{run}/redirect", {"message": order(course.cancelled, second)})
    stopped_at = await notes.wait(first, "stopped")
    times.redirected[course.redirected].append(_ms(sent_at, stopped_at))
    times.told.append(_ms(sent_at, await notes.wait(second, "asked")))
    if course.cancelled is Busy.APPROVED:
        times.approved.append(await _approve(run))
    await notes.wait(second, "started")
    await asyncio.sleep(pause())
    sent_at, _ = await post(f"{run}/cancel", {"reason": "measured"})
    stopped_at = await notes.wait(second, "stopped")
    times.cancelled[course.cancelled].append(_ms(sent_at, stopped_at))
    _, reply = await fetch(f"{run}?wait=30", stream=False)
    assert reply.json()["status"] == "cancelled", reply


def _ms(sent_at: float, at: float) -> float:
    return (at - sent_at) * 1e3


async def _approve(run: str) -> float:
    """Approve what the run asks for; milliseconds until a viewer sees that the tool has started."""
    async with _viewer(f"{run}/events") as viewer:
        asked = json.loads((await _frame(viewer, "approval.requested")).data)["data"]
        approval = f"{run}/approvals/{asked['approval_id']}"
        sent_at, _ = await post(approval, {"decision": "approve"})
        return _ms(sent_at, (await _frame(viewer, "tool.started", asked["call_id"])).at)


@contextlib.asynccontextmanager
async def _viewer(events: str) -> AsyncIterator[Recorder]:
    transport, recorder = await open_stream(events)
    try:
        await recorder.begun
        yield recorder
    finally:
        transport.close()


async def _frame(viewer: Recorder, kind: str, about: str = "") -> Frame:
    """Wait for the event of that type that has the text in it."""
    async with asyncio.timeout(notes.WITHIN_S):
        while True:
            for frame in viewer.reply().frames():
                if frame.type == kind and about.encode() in frame.data:
                    return frame
            await asyncio.sleep(notes.POLL_S)
