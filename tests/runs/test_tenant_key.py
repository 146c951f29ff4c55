"""A tenant with a key: nothing that is said is in the journal's files, and all of it can go."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.console.test_cli import start
from tests.dev_stack import DevStack
from tests.runs.test_encrypted import MARK, console, mark, play

pytestmark = [pytest.mark.stack, pytest.mark.slow]

TENANT = "sealed"
GONE_S = 240
"""How long it may take until nothing is left: a minute, and what Temporal needs."""


@pytest.fixture(scope="module")
async def keyed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """A stack whose tenant has a key."""
    async with DevStack(tmp_path_factory.mktemp("keyed"), "--encrypt") as started:
        made = await console(started, "keyring", "tenant", "create", TENANT)
        assert made.code == 0, made.err
        yield started


def marked(stack: DevStack) -> list[str]:
    """The files of all databases that have a marker."""
    files = [*stack.data_dir.glob("journal*"), *stack.data_dir.glob("temporal.db*")]
    assert len(files) >= 4, "the write-ahead logs are among them"
    return [file.name for file in files if MARK.encode() in file.read_bytes()]


async def test_no_marker_is_in_any_database_and_runs_can_be_used_as_ever(keyed: DevStack) -> None:
    run_id = await play(keyed, tenant=TENANT)
    assert marked(keyed) == []
    view = (await keyed.client.get(f"/v1/runs/{run_id}")).json()
    assert (view["status"], view["output"]) == ("completed", "all said")
    assert view["metadata"] == {"of": mark("metadata"), "tenant": TENANT}
    query = {"metadata.of": mark("metadata"), "metadata.tenant": TENANT}
    listed = (await keyed.client.get("/v1/runs", params=query)).json()["runs"]
    assert run_id in [it["run_id"] for it in listed]
    words = (await keyed.client.get("/v1/runs", params={"q": MARK})).json()["runs"]
    assert words == []
    said = str([event["data"] for event in await keyed.events(run_id)])
    for place in ("error", "argument", "question", "prompt", "note", "answer"):
        assert mark(place) in said, place
    body = {"message": mark("fork"), "edits": [{"call_id": "call_2_0", "output": mark("edit")}]}
    answer = await keyed.client.post(f"/v1/runs/{run_id}/fork", json=body)
    assert answer.status_code == 202, answer.text
    fork_id = answer.json()["run_id"]
    assert (await keyed.ended(fork_id))["status"] == "completed"
    said = str([event["data"] for event in await keyed.events(fork_id)])
    for place in ("argument", "fork", "edit"):
        assert mark(place) in said, place
    assert marked(keyed) == []
    checked = await console(keyed, "keyring", "check")
    assert checked.code == 0, checked.err
    assert "1 tenants" in checked.out


async def gone(client: Client, run_id: str) -> bool:
    try:
        await client.get_workflow_handle(run_id).describe()
    except RPCError as error:
        return error.status is RPCStatusCode.NOT_FOUND
    return False


def vacuum(stack: DevStack) -> None:
    """Give back what is free in all databases."""
    for file in stack.data_dir.glob("*.db"):
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.execute("VACUUM")
            assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


@pytest.mark.soak  # two minutes: an erasure is not over before it is a minute old
@pytest.mark.timeout(600)  # of which it sleeps a minute and more
async def test_kills_in_the_middle_of_an_erasure_leave_nothing_of_the_tenant(
    keyed: DevStack,
) -> None:
    ended = await play(keyed, tenant=TENANT)
    still_open = await keyed.submit(
        {"call": "ask_user", "arguments": {"question": mark("question")}},
        metadata={"tenant": TENANT},
    )
    await keyed.seen(still_open, "input.requested")
    theirs = await keyed.submit({"say": "stays"}, metadata={"tenant": "other"})
    await keyed.ended(theirs)
    erase = ("keyring", "tenant", "erase", TENANT, "--yes")
    env = {"RELAYLINE_DATA_DIR": str(keyed.data_dir)}
    erasing = await start(*erase, env=env)
    await erasing_begun(keyed)
    for pid in [erasing.pid, *keyed.pids]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await erasing.wait()
    again = await start(*erase, env=env)
    out, err = await asyncio.wait_for(again.communicate(), GONE_S)
    assert (again.returncode, out.decode()) == (0, f"{TENANT} is erased\n"), err
    client = await keyed.temporal()
    assert [await gone(client, it) for it in (ended, still_open, theirs)] == [True, True, False]
    for run_id, status in ((ended, 404), (still_open, 404), (theirs, 200)):
        assert (await keyed.client.get(f"/v1/runs/{run_id}")).status_code == status
    answer = await keyed.client.post(
        "/v1/runs",
        json={"agent": "assistant", "input": "again", "metadata": {"tenant": TENANT}},
    )
    assert answer.status_code == 410
    assert answer.json()["type"] == "urn:relayline:problem:tenant-erased"
    vacuum(keyed)
    with closing(sqlite3.connect(keyed.data_dir / "journal.db")) as db:
        for table in ("run_rows", "run_labels", "run_words", "batches"):
            left = db.execute(f"SELECT DISTINCT tenant FROM {table}").fetchall()  # noqa: S608
            assert (TENANT,) not in left, table


async def erasing_begun(stack: DevStack) -> None:
    """Wait until a run of the tenant is erased."""
    async with asyncio.timeout(60):
        with closing(sqlite3.connect(stack.data_dir / "journal.db", timeout=10)) as db:
            while not db.execute("SELECT 1 FROM erased WHERE tenant = ?", (TENANT,)).fetchone():
                await asyncio.sleep(0)
