"""A public MCP server that knows nothing of claims: its rows never double, whoever dies when."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.activities.tool.mcp.installed import sqlite_server
from tests.activities.tool.mcp.processes import alive, ours
from tests.dev_stack import DevStack
from tests.sqlite_agents import MODULE

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.timeout(900)]
LONG_S = 60.0
WHO = ("worker", "server")
OUTCOMES = CUT_OFF, DONE, FAILED = "input.requested", "tool.completed", "tool.failed"


@pytest.fixture(scope="module")
async def keeping(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """A stack whose agent writes rows through the server."""
    [program] = await asyncio.to_thread(sqlite_server)
    folder = tmp_path_factory.mktemp("sqlite")
    env = {"SQLITE_SERVER": program, "ROWS": str(folder / "rows.db"), "RELAYLINE_CATALOG": MODULE}
    with sqlite3.connect(folder / "rows.db") as db:
        db.execute("CREATE TABLE rows (word TEXT)")
    db.close()
    async with DevStack(folder, RELAYLINE_HEARTBEAT_S="0.5", **env) as stack:
        yield stack


class Call:
    """A run that is about to insert a row, over a connection that is open."""

    def __init__(self, stack: DevStack, word: str) -> None:
        self.stack = stack
        self.word = word
        self.run_id = ""
        self.pid = 0
        """Of the run's own process of the server."""

    async def prepare(self) -> None:
        """Return when the server has answered the run, which then talks for a while."""
        before = {*self._servers}
        read = {"query": "SELECT * FROM rows"}
        write = {"query": f"INSERT INTO rows VALUES ('{self.word}')"}  # noqa: S608  of a test
        self.run_id = await self.stack.submit(
            {"call": "sqlite_read_query", "arguments": read},
            {"tokens": 60, "every_ms": 50},
            {"call": "sqlite_write_query", "arguments": write},
            {"say": "done"},
            agent="keeper",
        )
        await self.stack.seen(self.run_id, DONE)
        [self.pid] = {*self._servers} - before

    @property
    def _servers(self) -> list[int]:
        return ours(str(self.stack.data_dir / "rows.db"))

    @property
    def rows(self) -> int:
        """How often the row is there."""
        with sqlite3.connect(self.stack.data_dir / "rows.db", timeout=LONG_S) as db:
            found = db.execute("SELECT count(*) FROM rows WHERE word = ?", (self.word,))
            [[count]] = found
        db.close()
        return int(count)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Meanwhile nobody can write; the server waits 5 s for that."""
        db = sqlite3.connect(self.stack.data_dir / "rows.db", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            db.execute("ROLLBACK")
            db.close()

    @property
    def writing(self) -> bool:
        """True while the server has the file open, which it does for a query alone."""
        files = Path(f"/proc/{self.pid}/fd").iterdir()
        with suppress(OSError):
            return any(os.readlink(file).endswith("rows.db") for file in files)
        return False

    async def outcome(self) -> str:
        """What comes first of the insertion: its end, or the question what became of it."""
        async with asyncio.timeout(LONG_S):
            while True:
                for event in await self.stack.events(self.run_id):
                    about = {event["data"].get(it) for it in ("call_id", "request_id")}
                    if event["type"] in OUTCOMES and about & {"call_2_0", "outcome_2_0_1"}:
                        return str(event["type"])
                await asyncio.sleep(0.02)

    async def end(self, text: str | None) -> None:
        """Answer the question, if there is one, and wait for the end."""
        if text:
            answer: dict[str, Any] = {"request_id": "outcome_2_0_1", "text": text}
            await self.stack.send(self.run_id, "answer", **answer)
        assert (await self.stack.ended(self.run_id))["status"] == "completed"


@pytest.fixture
async def call(keeping: DevStack, request: pytest.FixtureRequest) -> Call:
    made = Call(keeping, request.node.name)
    await made.prepare()
    return made


def kill(call: Call, who: str) -> None:
    pid = call.stack.state["workers"][0]["pid"] if who == "worker" else call.pid
    os.kill(pid, signal.SIGKILL)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not true():
            await asyncio.sleep(0.005)


async def test_a_server_that_dies_before_the_call_is_started_again(call: Call) -> None:
    kill(call, "server")
    assert await call.outcome() == DONE
    await call.end(None)
    assert call.rows == 1


async def test_the_process_of_a_run_ends_with_it(call: Call) -> None:
    assert alive(call.pid)
    await call.end(None)
    await until(lambda: not alive(call.pid))


@pytest.mark.parametrize("who", WHO)
async def test_who_dies_before_the_server_reads_the_call_leaves_no_row(
    call: Call, who: str
) -> None:
    os.kill(call.pid, signal.SIGSTOP)
    started: dict[str, Any] = {}
    while started.get("name") != "sqlite_write_query":
        events = await call.stack.events(call.run_id)
        started = [it["data"] for it in events if it["type"] == "tool.started"][-1]
    kill(call, who)
    outcome = await call.outcome()
    assert call.rows == 0
    assert outcome == CUT_OFF or (who == "server" and outcome == FAILED)  # not sent yet
    await call.end("run it" if outcome == CUT_OFF else None)
    assert call.rows == (outcome == CUT_OFF)


@pytest.mark.parametrize("who", WHO)
async def test_who_dies_while_the_server_writes_leaves_no_row(call: Call, who: str) -> None:
    with call.locked():
        await until(lambda: call.writing)
        kill(call, who)
        assert await call.outcome() == CUT_OFF
    assert call.rows == 0
    await call.end("run it")
    assert call.rows == 1


@pytest.mark.parametrize("who", WHO)
async def test_who_dies_when_the_row_is_written_and_the_answer_not_read_leaves_one(
    call: Call, who: str
) -> None:
    worker = call.stack.state["workers"][0]["pid"]
    with call.locked():
        await until(lambda: call.writing)
        os.kill(worker, signal.SIGSTOP)
    try:
        await until(lambda: call.rows == 1)
        kill(call, who)
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)
    outcome = await call.outcome()
    assert outcome == CUT_OFF or (who == "server" and outcome == DONE)  # its answer was out
    await call.end("happened: inserted" if outcome == CUT_OFF else None)
    assert call.rows == 1
