"""A command whose worker is killed is never run twice: a person is asked what became of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.dev_stack import DevStack

AT_ONCE = 10
ROUNDS = (0, *(pytest.param(number, marks=pytest.mark.soak) for number in range(1, 5)))
"""One is in every run of the stack tests, the others are for `make soak`."""


def there(file: Path) -> bool:
    """Whether the command has begun."""
    return file.exists()


async def in_command(stack: DevStack, file: Path) -> str:
    """A run whose approved command has just written its line and goes on, if it is the first."""
    command = f"echo ran >> {file}; [ $(wc -l < {file}) -gt 1 ] || sleep 20"
    call = {"call": "run_command", "arguments": {"command": command}}
    run_id = await stack.submit(call, {"say": "done"})
    await stack.seen(run_id, "approval.requested")
    await stack.send(run_id, "approvals/approval_1_0", decision="approve", by="ann")
    async with asyncio.timeout(30):
        while not there(file):
            await asyncio.sleep(0.02)
    return run_id


async def asked(stack: DevStack, run_id: str) -> str:
    """Wait until the run asks what became of the command; the request's id."""
    request = await stack.seen(run_id, "input.requested")
    assert "outcome unknown: run_command(" in request["data"]["question"]
    request_id: str = request["data"]["request_id"]
    return request_id


@pytest.mark.parametrize("number", ROUNDS)
async def test_a_killed_command_is_not_run_again_and_a_person_is_asked(
    stack: DevStack, tmp_path: Path, number: int
) -> None:
    files = [tmp_path / f"{number}-{index}" for index in range(AT_ONCE)]
    runs = await asyncio.gather(*(in_command(stack, file) for file in files))
    stack.kill_worker()
    requests = await asyncio.gather(*(asked(stack, run_id) for run_id in runs))
    for run_id, request_id in zip(runs, requests, strict=True):
        await stack.send(run_id, "answer", request_id=request_id, text="happened: it ran once")
    for run_id, file in zip(runs, files, strict=True):
        assert (await stack.ended(run_id))["status"] == "completed"
        assert file.read_text() == "ran\n"
        [result] = [e for e in await stack.events(run_id) if e["type"] == "tool.completed"]
        assert result["data"]["output"] == "it ran once"


async def test_a_command_that_did_not_happen_is_run_when_a_person_says_so(
    stack: DevStack, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    run_id = await in_command(stack, file)
    stack.kill_worker()
    request_id = await asked(stack, run_id)
    await stack.send(run_id, "answer", request_id=request_id, text="run it", by="ann")
    assert (await stack.ended(run_id))["status"] == "completed"
    assert file.read_text() == "ran\nran\n"


async def test_a_person_may_stop_the_run_instead(stack: DevStack, tmp_path: Path) -> None:
    run_id = await in_command(stack, tmp_path / "file")
    stack.kill_worker()
    request_id = await asked(stack, run_id)
    await stack.send(run_id, "answer", request_id=request_id, text="stop", by="ann")
    assert (await stack.ended(run_id))["status"] == "cancelled"
    ended = (await stack.events(run_id))[-1]
    assert ended["data"]["by"] == "ann"
    assert "outcome of run_command is unknown" in ended["data"]["reason"]
