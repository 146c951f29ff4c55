"""A Postgres that crashed and lost what viewers have seen: from the journal to the terminal."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client

from relayline.client import AsyncClient
from relayline.console.tty.watch import watch, watch_json
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageCompleted, StepStarted
from relayline.contracts.runs import RunStatus
from relayline.journal.port import Journal
from relayline.journal.postgres.migrate import migrate
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.flaky import FlakyJournal
from tests.api.serving import (
    SSE,
    Api,
    completed,
    deltas,
    envelopes,
    eventually,
    frames,
    run_id,
    said,
    serving,
    started,
)
from tests.journal.storage import insist, lose, opened
from tests.postgres_server import FORGETFUL, PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(FORGETFUL) as server:
        yield server


def step(number: int) -> NewEvent:
    return NewEvent(key=f"0/step/{number}/started", step=number, body=StepStarted(model="m"))


async def begun(journal: Journal, server: PostgresServer) -> str:
    """A run in which six deltas, 4 to 9, are not on the disk."""
    run = run_id()
    await journal.append(run, [started(), said("hello"), step(1)])
    server.hold_back()
    await journal.append(run, deltas(6))
    return run


async def seen(api: Api, run: str) -> list[tuple[str, str, str]]:
    """The frames of one stream, to its end."""
    async with api.http.stream("GET", f"/v1/runs/{run}/events", headers=SSE) as answer:
        return [frame async for frame in frames(answer)]


@pytest.mark.parametrize("more", [0, 20])
async def test_who_watches_is_told_and_then_shown_what_is_stored(
    server: PostgresServer, api_temporal: Client, more: int
) -> None:
    dsn = server.create_database(f"test_{uuid4().hex}")
    await migrate(dsn)
    message = MessageCompleted(text="as it is stored", finish_reason="stop")
    rest = [
        *(step(2 + number) for number in range(more)),
        NewEvent(key="0/step/1/message", step=1, attempt=1, body=message),
        completed(),
    ]
    out, lines, err = io.StringIO(), io.StringIO(), io.StringIO()
    async with (
        opened(dsn) as journal,
        serving(Settings(), journal, api_temporal) as api,
        AsyncClient(str(api.http.base_url)) as client,
    ):
        run = await begun(journal, server)
        stream = asyncio.create_task(seen(api, run))
        watching = asyncio.create_task(watch(client.run(run), out, io.StringIO()))
        as_json = asyncio.create_task(watch_json(client.run(run), lines, err))
        await api.opened(3)
        await eventually(lambda: "00000005" in out.getvalue() and "00000005" in lines.getvalue())
        await asyncio.to_thread(server.crash)
        await insist(lambda: journal.append(run, rest))
        assert await watching is await as_json is RunStatus.COMPLETED
        told = (await stream)[-1]
        whole = await envelopes(journal, run)
    assert len(whole) == 5 + more
    assert told[:2] == ("", "events.lost")
    reason = json.loads(told[2])["data"]["reason"]
    assert re.match(r"event 9 (is lost|was replaced by another)", reason)
    assert [json.loads(line) for line in lines.getvalue().splitlines()][9:] == whole
    assert err.getvalue().count("the server has lost events") == 1
    _, mark, anew = out.getvalue().partition("↻ the server has lost events")
    assert mark
    assert "0000000" not in anew
    assert "\nas it is stored\n✓ completed" in anew


async def test_who_watches_is_told_although_the_journal_was_away_meanwhile(
    tmp_path: Path, api_temporal: Client, caplog: pytest.LogCaptureFixture
) -> None:
    file, run, kinds = tmp_path / "journal.db", run_id(), list[str]()
    stored = SqliteJournal(file)
    journal = FlakyJournal(stored)
    async with serving(Settings(), journal, api_temporal) as api:
        await journal.append(run, [started(), *deltas(8)])
        async with api.http.stream("GET", f"/v1/runs/{run}/events", headers=SSE) as answer:
            async for _, kind, _ in frames(answer):
                kinds.append(kind)
                if len(kinds) == 9:
                    journal.go_down()
                    await eventually(lambda: "journal unavailable, retrying" in caplog.text)
                    lose(file, run, 3)
                    await stored.append(run, deltas(12))
                    journal.come_back()
    await stored.close()
    assert kinds == ["run.started", *["message.delta"] * 8, "events.lost"]


async def test_a_viewer_that_was_away_is_told_by_its_cursor(
    server: PostgresServer, api_temporal: Client
) -> None:
    dsn = server.create_database(f"test_{uuid4().hex}")
    await migrate(dsn)
    async with opened(dsn) as journal, serving(Settings(), journal, api_temporal) as api:
        run = await begun(journal, server)
        path = f"/v1/runs/{run}/events"
        page = (await api.http.get(path)).json()
        assert page["next"] == 9
        await asyncio.to_thread(server.crash)
        await insist(lambda: journal.append(run, [step(2)]))
        answer = await api.http.get(path, headers={**SSE, "Last-Event-ID": "9"})
        assert (answer.status_code, answer.json()["newest"]) == (400, 4)
