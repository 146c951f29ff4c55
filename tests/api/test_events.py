"""The cursor rules of the protocol, each row of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from relayline.contracts.envelope import EventPage
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.serving import (
    SSE,
    Api,
    completed,
    deltas,
    ended_run,
    envelopes,
    run_id,
    serving,
    started,
)


@pytest.mark.parametrize("as_stream", [True, False])
@pytest.mark.parametrize(
    ("cursor", "status", "slug"),
    [
        ("abc", 400, "invalid-cursor"),
        ("", 400, "invalid-cursor"),
        ("-1", 400, "invalid-cursor"),
        ("+1", 400, "invalid-cursor"),
        ("1.5", 400, "invalid-cursor"),
        ("1_0", 400, "invalid-cursor"),
        ("0x10", 400, "invalid-cursor"),
        ("99", 400, "cursor-ahead"),
        ("9" * 60, 400, "cursor-ahead"),
    ],
)
async def test_a_bad_cursor_is_refused(
    api: Api, cursor: str, status: int, slug: str, as_stream: bool
) -> None:
    run = run_id()
    await api.journal.append(run, [started(), *deltas(3)])
    path, accept = f"/v1/runs/{run}/events", SSE if as_stream else {}
    by_query = await api.http.get(path, params={"after": cursor}, headers=accept)
    by_header = await api.http.get(path, headers={**accept, "Last-Event-ID": cursor})
    for answer in (by_query, by_header):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:relayline:problem:{slug}"


async def test_last_event_id_wins_over_after(api: Api) -> None:
    run = await ended_run(api.journal)
    answer = await api.http.get(
        f"/v1/runs/{run}/events", params={"after": "nonsense"}, headers={"Last-Event-ID": "5"}
    )
    assert answer.json()["events"][0]["seq"] == 6


async def test_an_unknown_run_is_404(api: Api) -> None:
    for run in (run_id(), "nonsense", "run_' OR 1"):
        for headers in (SSE, {}):
            answer = await api.http.get(f"/v1/runs/{run}/events", headers=headers)
            assert answer.status_code == 404
            assert answer.json()["type"] == "urn:relayline:problem:unknown-run"


async def test_an_unknown_run_is_503_while_temporal_cannot_be_asked(lonely_api: Api) -> None:
    answer = await lonely_api.http.get(f"/v1/runs/{run_id()}/events", headers=SSE)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def test_a_stream_at_or_past_the_end_is_204_and_a_page_is_empty(api: Api) -> None:
    run = await ended_run(api.journal, 4)
    path = f"/v1/runs/{run}/events"
    for after in ("7", "8", "1000"):
        answer = await api.http.get(path, headers={**SSE, "Last-Event-ID": after})
        assert (answer.status_code, answer.content) == (204, b"")
    page = await api.http.get(path, params={"after": "7"})
    assert page.json() == {"events": [], "next": 7, "previous": None, "ended": True}


@pytest.fixture
async def swept_api(tmp_path: Path, api_temporal: Client) -> AsyncIterator[Api]:
    """An API with a journal of its own: in that of other tests are receivers that must be told."""
    own = SqliteJournal(tmp_path / "journal.db")
    async with serving(Settings(), own, api_temporal) as served:
        yield served
    await own.close()


async def test_a_cursor_past_retention_is_410_with_the_oldest_event(swept_api: Api) -> None:
    api, run = swept_api, await ended_run(swept_api.journal, 4)
    while await api.journal.webhooks.plan(1000):
        continue
    await api.journal.sweep(datetime.now(UTC) + timedelta(seconds=5))
    for after in ("0", "3"):
        for headers in (SSE, {}):
            answer = await api.http.get(
                f"/v1/runs/{run}/events", params={"after": after}, headers=headers
            )
            assert answer.status_code == 410, answer.text
            problem = answer.json()
            assert problem["type"] == "urn:relayline:problem:cursor-expired"
            assert problem["oldest"] == 8
    answer = await api.http.get(f"/v1/runs/{run}")
    assert answer.status_code == 410


async def test_pages_walk_the_whole_journal_and_say_when_it_is_over(
    api: Api, journal: SqliteJournal
) -> None:
    run = await ended_run(journal, 47)
    whole = await envelopes(journal, run)
    got, after = [], 0
    for _ in range(8):
        answer = await api.http.get(f"/v1/runs/{run}/events", params={"after": after, "limit": 7})
        EventPage.model_validate_json(answer.content)
        page = answer.json()
        got += page["events"]
        after = page["next"]
        assert page["ended"] == (after == len(whole))
    assert got == whole


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x"])
async def test_a_bad_limit_is_422_and_named(api: Api, limit: str) -> None:
    run = await ended_run(api.journal, 1)
    answer = await api.http.get(f"/v1/runs/{run}/events", params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["field"] == "limit"


async def test_a_page_of_a_live_run_has_not_ended(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started(), *deltas(2)])
    page = (await api.http.get(f"/v1/runs/{run}/events")).json()
    assert (page["next"], page["ended"]) == (3, False)
    await api.journal.append(run, [completed()])
    await asyncio.sleep(0)
    page = (await api.http.get(f"/v1/runs/{run}/events", params={"after": 3})).json()
    assert (page["next"], page["ended"]) == (4, True)
