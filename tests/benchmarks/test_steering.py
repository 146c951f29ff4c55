"""What the figures of steering rest on: notes, tools that leave them, a provider that does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest

from benchmarks import notes
from benchmarks.course import COURSES, Busy, order
from benchmarks.provider import MODEL, newest_order
from benchmarks.sse import fetch, open_stream
from benchmarks.stack import module, running_stack
from benchmarks.steering import Pace, courses
from benchmarks.stop_tools import agent, shell_command
from relayline.catalog.tools import Tool
from relayline.dev.ports import free_port

TOOLS = {tool.spec.name: tool for tool in agent.tools if isinstance(tool, Tool)}


@pytest.fixture
def note(tmp_path: Path) -> str:
    return str(tmp_path / "note")


def test_a_note_tells_when_it_was_left(note: str) -> None:
    before = time.time()
    notes.leave(note, "stopped")
    at = notes.find(note, "stopped")
    assert at is not None
    assert before <= at <= time.time()
    assert notes.find(note, "started") is None


def test_a_note_that_is_half_written_is_none(note: str) -> None:
    for text in ("", "17000000"):
        Path(f"{note}.stopped").write_text(text)
        assert notes.find(note, "stopped") is None


async def test_a_note_that_never_comes_is_an_error_that_names_it(note: str) -> None:
    with pytest.raises(TimeoutError, match=r"note was not stopped within 0\.01 s"):
        await notes.wait(note, "stopped", within_s=0.01)


async def test_the_shell_command_notes_sigterm_to_its_group(note: str) -> None:
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", shell_command(note), start_new_session=True
    )
    started_at = await notes.wait(note, "started")
    assert notes.find(note, "stopped") is None
    sent_at = time.time()
    os.killpg(child.pid, signal.SIGTERM)
    assert await child.wait() == 0
    stopped_at = notes.find(note, "stopped")
    assert stopped_at is not None
    assert started_at < sent_at < stopped_at < sent_at + 5


def test_every_kind_of_stop_is_measured_for_both_commands() -> None:
    kinds = set(Busy)
    assert {course.redirected for course in COURSES} == kinds - {Busy.APPROVED}
    assert {course.cancelled for course in COURSES} == kinds - {Busy.SUBPROCESS}


@pytest.mark.parametrize("busy", [kind for kind in Busy if kind is not Busy.MODEL])
def test_an_order_asks_for_a_tool_that_takes_its_arguments(busy: Busy, note: str) -> None:
    told = json.loads(order(busy, note))
    tool = TOOLS[told["call"]]
    assert tool.bind(told["arguments"])
    redirected = busy in {course.redirected for course in COURSES}
    assert (tool.spec.effects == "safe" and tool.spec.approval == "never") or not redirected


def test_the_newest_user_message_is_the_order() -> None:
    said: list[dict[str, object]] = [
        {"role": "user", "content": '{"tokens": 1}'},
        {"role": "user", "content": [{"type": "text", "text": '{"tokens": 2}'}]},
        {"role": "tool", "content": "42"},
    ]
    assert newest_order(said) == {"tokens": 2}


async def test_the_provider_notes_who_hangs_up_and_only_them(tmp_path: Path) -> None:
    base, log = f"http://127.0.0.1:{free_port()}", tmp_path / "provider.log"
    left, stayed, called = (str(tmp_path / name) for name in ("left", "stayed", "called"))

    def asked(told: dict[str, object]) -> dict[str, object]:
        return {"model": MODEL, "messages": [{"role": "user", "content": json.dumps(told)}]}

    url = f"{base}/v1/chat/completions"
    port = base.rpartition(":")[2]
    async with module("provider", port, log=log, url=f"{base}/healthz"):
        await fetch(url, body=asked({"note": stayed, "tokens": 2, "every_ms": 1}))
        _, reply = await fetch(url, body=asked({"note": called, "call": "hold", "arguments": {}}))
        transport, viewer = await open_stream(
            url, body=asked({"note": left, "tokens": 1000, "every_ms": 10})
        )
        await viewer.begun
        closed_at = time.time()
        transport.close()
        stopped_at = await notes.wait(left, "stopped", within_s=5)
    assert closed_at <= stopped_at < closed_at + 1
    assert all(notes.find(name, "asked") for name in (left, stayed, called))
    assert notes.find(stayed, "stopped") is None
    assert b'"name": "hold"' in b"".join(piece.data for piece in reply.body)


@pytest.mark.stack
async def test_every_course_is_gone_through_on_a_real_stack(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        times = await courses(stack.runs, tmp_path / "course", 1, Pace(at_once=4, pause_s=0.05))
    assert len(times.told) == len(COURSES)
    assert len(times.approved) == 1
    stops = [*times.redirected.values(), *times.cancelled.values()]
    assert [len(values) for values in stops] == [1] * (2 * len(COURSES))
    assert all(value > 0 for values in [*stops, times.told, times.approved] for value in values)
