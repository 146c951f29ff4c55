"""Open streams are looked at again: they end once their credentials have."""

from __future__ import annotations

import asyncio
import time

import httpx

from relayline.api.auth import api_keys
from relayline.api.streams.access_check import AccessCheck
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.auth.keyed import bearer, issued
from tests.api.serving import SSE, Api, started


async def begins(stream: httpx.Response) -> None:
    """Return when the stream says that the run has started."""
    lines = stream.aiter_lines()
    async with asyncio.timeout(60):
        while await anext(lines) != "event: run.started":
            pass


def test_a_revoked_key_has_no_stream_after_a_minute() -> None:
    assert AccessCheck([]).interval_s + api_keys.FRESH_S + api_keys.LOOK_UP_S < 60


async def test_a_stream_ends_with_a_retry_when_its_key_is_revoked(
    strict: Api, journal: SqliteJournal
) -> None:
    revoked, stays = [await issued(journal) for _ in range(2)]
    body = {"agent": "assistant", "input": "hello"}
    run = (await strict.http.post("/v1/runs", json=body, headers=bearer(stays))).json()["run_id"]
    url = f"/v1/runs/{run}/events"
    async with (
        strict.http.stream("GET", url, headers=bearer(stays) | SSE) as other,
        strict.http.stream("GET", url, headers=bearer(revoked) | SSE) as answer,
    ):
        await strict.opened(2)
        assert await journal.api_keys.revoke(EVERY, revoked.stored.key_id, time.time_ns() // 1000)
        async with asyncio.timeout(60):
            lines = [line async for line in answer.aiter_lines()]
        assert lines[0] == "retry: 1000"
        assert [line for line in lines if line][-1].startswith("retry: ")
        await strict.opened(1)
        await journal.append(run, [started()])
        await begins(other)
    again = await strict.http.get(url, headers=bearer(revoked) | SSE)
    assert again.status_code == 401
    await strict.quiet()


async def test_streams_whose_key_holds_go_on(strict: Api, journal: SqliteJournal) -> None:
    key, revoked = [await issued(journal) for _ in range(2)]
    body = {"agent": "assistant", "input": "hello"}
    run = (await strict.http.post("/v1/runs", json=body, headers=bearer(key))).json()["run_id"]
    live = strict.http.stream("GET", "/v1/live", headers=bearer(key))
    url = f"/v1/runs/{run}/events"
    async with (
        live as page,
        strict.http.stream("GET", url, headers=bearer(key) | SSE) as answer,
        strict.http.stream("GET", url, headers=bearer(revoked) | SSE),
    ):
        await strict.opened(3)
        assert await journal.api_keys.revoke(EVERY, revoked.stored.key_id, time.time_ns() // 1000)
        await strict.opened(2)  # so all have been looked at
        await journal.append(run, [started()])
        await begins(answer)
        assert strict.services.streams.open_count == 2
        assert (page.status_code, answer.status_code) == (200, 200)
    await strict.quiet()
