"""A submission is told of while Temporal starts it, and no more if that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from temporalio.client import Client

from relayline.contracts.envelope import NewEvent
from relayline.journal.port import Appended, Fence, JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY, RunFilter
from relayline.runtime.settings import Settings
from tests.api.flaky import FlakyJournal
from tests.api.serving import SSE, serving

BODY = {"agent": "assistant", "input": "hello", "metadata": {"tenant": "acme"}}


class Noting(SqliteJournal):
    """Notes what the API asks of it, in order."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[str] = []

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        self.asked += [event.body.type for event in events]
        return await super().append(run_id, events, fence)

    async def withdraw(self, run_id: str) -> bool:
        gone = await super().withdraw(run_id)
        self.asked.append(f"withdraw {gone}")
        return gone


@pytest.fixture
async def noting(tmp_path: Path) -> AsyncIterator[Noting]:
    journal = Noting(tmp_path / "journal.db")
    yield journal
    await journal.close()


@pytest.mark.parametrize("headers", [{}, SSE], ids=("202", "stream"))
async def test_a_run_that_temporal_did_not_start_is_in_no_list(
    noting: Noting, no_temporal: Client, headers: dict[str, str]
) -> None:
    async with serving(Settings(), noting, no_temporal) as api:
        answer = await api.http.post("/v1/runs", json=BODY, headers=headers)
        assert answer.status_code == 503
        await api.quiet()
    assert noting.asked == ["run.queued", "withdraw True"]
    assert await noting.list_runs(EVERY, RunFilter(), 5) == []


async def test_with_a_key_nothing_is_told_before_temporal_has_accepted(
    noting: Noting, no_temporal: Client, api_temporal: Client
) -> None:
    """Another body may have the key, and its run must not be told of in these words."""
    headers = {"Idempotency-Key": "unstarted"}
    async with serving(Settings(), noting, no_temporal) as api:
        assert (await api.http.post("/v1/runs", json=BODY, headers=headers)).status_code == 503
    assert noting.asked == []
    async with serving(Settings(), noting, api_temporal) as api:
        assert (await api.http.post("/v1/runs", json=BODY, headers=headers)).status_code == 202
    assert noting.asked == ["run.queued"]


async def test_of_bodies_that_race_for_one_key_the_row_is_that_of_the_run(
    noting: Noting, api_temporal: Client
) -> None:
    headers = {"Idempotency-Key": "raced"}
    async with serving(Settings(), noting, api_temporal) as api:
        bodies = [{**BODY, "metadata": {"n": str(number)}} for number in range(8)]
        answers = await asyncio.gather(
            *(api.http.post("/v1/runs", json=body, headers=headers) for body in bodies)
        )
        won = [number for number, it in enumerate(answers) if it.status_code == 202]
        assert sorted(it.status_code for it in answers) == [202] + [422] * 7
        run_id = answers[won[0]].json()["run_id"]
    listed = await noting.listed(EVERY, run_id)
    assert listed is not None
    assert listed.row.metadata == bodies[won[0]]["metadata"]


async def test_a_journal_that_is_away_decides_nothing(
    noting: Noting, no_temporal: Client, api_temporal: Client
) -> None:
    journal = FlakyJournal(noting)
    journal.go_down(JournalUnavailable("the disk is gone"))
    for client, status in ((no_temporal, 503), (api_temporal, 202)):
        async with serving(Settings(), journal, client) as api:
            answer = await api.http.post("/v1/runs", json=BODY)
            assert answer.status_code == status
            slug = "temporal-unavailable"
            assert status == 202 or answer.json()["type"].endswith(slug)
