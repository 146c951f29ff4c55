"""A call under which worker after worker is stopped is given up, and an ordinary one is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from relayline.journal.sqlite.journal import SqliteJournal
from tests.activities.mortal import RUN, Process, losses


async def stopped(path: Path, number: int, call: str, journal: SqliteJournal) -> Process:
    """A worker that begins to stop while it runs that attempt of the call."""
    process = Process(path, most_stops=3)
    env = await process.begin(call, number)
    env.worker_shutdown()
    async with asyncio.timeout(5):
        while await journal.fenced(RUN, f"{call}/stopped") < number:
            await asyncio.sleep(0.005)
    return process


async def test_a_call_under_which_each_worker_is_stopped_is_given_up(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    """A tool may send its own worker a SIGTERM: nothing of that is a loss."""
    for number in (1, 2, 3):
        await (await stopped(tmp_path, number, "resigns", journal)).kill()
    process = Process(tmp_path, most_stops=3)
    await process.begin("resigns", 4)
    assert "the 3 times when its worker was stopped" in str(process.verdict("resigns"))
    assert await losses(journal, "resigns") == []
    await process.kill()


async def test_ordinary_stops_give_up_no_call(tmp_path: Path, journal: SqliteJournal) -> None:
    for number in (1, 2):
        await (await stopped(tmp_path, number, "a", journal)).kill()
    process = Process(tmp_path, most_stops=3)
    await process.begin("a", 3)
    assert process.verdict("a") is None
    await process.kill()
