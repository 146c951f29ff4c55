"""Several processes on one journal, some of them killed."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from relayline.journal.port import Journal
from tests.journal.samples import end, follow, fresh_run, seqs, texts

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
Line = tuple[int, str]


async def start(task: str, storage: str, run: str, name: str = "-") -> Process:
    command = (sys.executable, "-m", "tests.journal.process", task, storage, run, name)
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT)


def parsed(output: bytes) -> list[Line]:
    """The lines that are whole."""
    lines = output.decode().split("\n")[:-1]
    return [(int(seq), text) for seq, _, text in (line.partition(" ") for line in lines)]


async def test_processes_write_one_run_while_another_follows_it(
    storage: str, journal: Journal
) -> None:
    run = fresh_run()
    reader = await start("tail", storage, run)
    writers = [await start("write", storage, run, f"w{n}") for n in range(3)]
    written = [parsed((await writer.communicate())[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    await journal.append(run, [end()])
    followed = parsed((await reader.communicate())[0])

    assert [seq for seq, _ in followed] == list(range(1, len(followed) + 1))
    assert followed[-1][1] == "run.completed"
    assert {line for lines in written for line in lines} == set(followed[:-1])
    for lines in written:
        own = [seq for seq, text in lines if text.startswith("w")]
        assert own == sorted(own)


async def test_what_append_returned_survives_kill_9(storage: str, journal: Journal) -> None:
    run = fresh_run()
    following = asyncio.create_task(follow(journal, run))
    writers = [await start("stream", storage, run, f"w{n}") for n in range(3)]
    written = await asyncio.gather(*(kill_after(writer, 40) for writer in writers))
    assert await journal.append(run, [end()])
    stored = await follow(journal, run)

    assert seqs(stored) == list(range(1, len(stored) + 1))
    assert await following == stored
    by_seq = dict(zip(seqs(stored), texts(stored), strict=False))
    for lines in written:
        assert len(lines) >= 40
        assert all(by_seq[seq] == text for seq, text in lines)


async def kill_after(process: Process, lines: int) -> list[Line]:
    """Kill it in the middle of its work; what it has said by then."""
    assert process.stdout
    said = b""
    while said.count(b"\n") < lines:
        said += await process.stdout.readline()
    process.kill()
    said += await process.stdout.read()
    await process.wait()
    return parsed(said)
