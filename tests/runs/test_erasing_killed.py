"""A run whose erasure everybody dies in the middle of: it is erased everywhere all the same."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.service import RPCError, RPCStatusCode

from relayline.dev.ports import free_port
from relayline.journal.sqlite.journal import SqliteJournal
from tests.dev_stack import DevStack
from tests.journal.samples import delta

MARK = f"sesame-{uuid4().hex}"
"""Is in every part of the run."""
BATCHES = 200
EVENTS = 200
"""As many as one transaction of an erasure deletes; times `BATCHES`, it takes its time."""
GONE_S = 180
"""How long it may take until nothing is left: a minute, and what Temporal needs."""


def read(stack: DevStack, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
    """What the journal's file says."""
    file = f"file:{stack.journal}?mode=ro"
    with closing(sqlite3.connect(file, uri=True, timeout=10)) as db:
        return db.execute(sql, arguments).fetchall()


def tables_of(stack: DevStack, run: str) -> Iterator[str]:
    """The tables that have something of the run."""
    sql = """
        SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
        WHERE m.type = 'table' AND c.name = 'run_id'
    """
    for (table,) in read(stack, sql):
        if read(stack, f"SELECT 1 FROM {table} WHERE run_id = ? LIMIT 1", run):  # noqa: S608
            yield table


async def ended(stack: DevStack, body: dict[str, Any], key: dict[str, str]) -> str:
    """A run that has ended, with a great many events, and deliveries that nobody takes."""
    hook = {"url": f"http://127.0.0.1:{free_port()}/hook"}
    answer = await stack.client.post("/v1/webhooks", json=hook)
    assert answer.status_code == 201, answer.text
    answer = await stack.client.post("/v1/runs", json=body, headers=key)
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["run_id"]
    asked = await stack.seen(run, "approval.requested")
    journal = SqliteJournal(Path(stack.journal))
    for _ in range(BATCHES):
        await journal.append(run, [delta(MARK) for _ in range(EVENTS)])
    await journal.close()
    await stack.send(run, f"approvals/{asked['data']['approval_id']}", decision="deny")
    assert (await stack.ended(run))["status"] == "completed"
    async with asyncio.timeout(30):
        while "deliveries" not in tables_of(stack, run):
            await asyncio.sleep(0.1)
    return run


def kill_once_begun(stack: DevStack, run: str) -> None:
    """SIGKILL to everybody as soon as there is a tombstone; no detours, or the rest is done."""
    pids, until = stack.pids, time.monotonic() + 30
    with closing(sqlite3.connect(f"file:{stack.journal}?mode=ro", uri=True, timeout=10)) as db:
        while not db.execute("SELECT 1 FROM erasures WHERE run_id = ?", (run,)).fetchone():
            assert time.monotonic() < until, "nobody has begun"
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def killed_in_the_middle(stack: DevStack, run: str) -> None:
    """Ask for the erasure, and kill everybody once it has begun and before it is done."""
    killing = asyncio.create_task(asyncio.to_thread(kill_once_begun, stack, run))
    with pytest.raises(httpx.TransportError):
        await stack.client.delete(f"/v1/runs/{run}")
    await killing
    assert {*tables_of(stack, run)} == {"events", "erasures"}


async def answered(stack: DevStack, method: str, path: str, **fields: Any) -> int:
    """The status of the answer, once somebody gives one."""
    async with asyncio.timeout(60):
        while True:
            with suppress(httpx.TransportError):
                answer = await stack.client.request(method, path, **fields)
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return answer.status_code
            await asyncio.sleep(0.1)


def vacuumed(folder: Path) -> list[Path]:
    """Give back what is free in all databases; the files that still have the mark."""
    for file in folder.glob("*.db"):
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.execute("VACUUM")
            assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if MARK.encode() in path.read_bytes()]


@pytest.mark.soak  # two minutes: an erasure is not over before it is a minute old
@pytest.mark.stack
@pytest.mark.timeout(400)  # of which it sleeps a minute and more
async def test_kills_in_the_middle_of_an_erasure_leave_nothing_of_the_run(tmp_path: Path) -> None:
    write = {"call": "write_file", "arguments": {"path": f"no/{MARK}/x.txt", "content": MARK}}
    script = json.dumps({"rehearse": [write, {"say": MARK}]})
    body = {"agent": "assistant", "input": script, "metadata": {"user": MARK}}
    key = {"Idempotency-Key": MARK}
    async with DevStack(tmp_path / "dev") as stack:
        run = await ended(stack, body, key)
        await killed_in_the_middle(stack, run)
        path = f"/v1/runs/{run}"
        assert await answered(stack, "GET", path) == 404
        assert await answered(stack, "POST", "/v1/runs", json=body, headers=key) == 410
        async with asyncio.timeout(GONE_S):
            while [*tables_of(stack, run)]:
                await asyncio.sleep(0.5)
        temporal = await stack.temporal()
        with pytest.raises(RPCError) as caught:
            await temporal.get_workflow_handle(run).describe()
        assert caught.value.status is RPCStatusCode.NOT_FOUND
        assert await answered(stack, "DELETE", path) == 204
        assert await answered(stack, "GET", path) == 404
        assert await answered(stack, "POST", "/v1/runs", json=body, headers=key) == 410
    assert await asyncio.to_thread(vacuumed, stack.data_dir) == []
