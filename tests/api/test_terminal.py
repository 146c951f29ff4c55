"""A run that Temporal closed without the workflow's word ends for whoever watches it."""

from __future__ import annotations

import asyncio
import time

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.api.errors import TemporalUnavailable
from relayline.api.streams.watchdog import MAX_ASKED, Watchdog
from relayline.contracts.runs import Waiting
from relayline.journal.port import Head
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY, Tenant
from relayline.runtime.settings import Settings
from tests.api.flaky import FlakyJournal
from tests.api.serving import SSE, Api, deltas, eventually, follow, serving, started, waiting_run
from tests.api.test_runs import submitted

SOON_S = 6.0
"""How long a watcher waits: a second of silence, two for the question, and a busy machine."""


async def terminate(client: Client, run: str) -> None:
    await client.get_workflow_handle(run).terminate(reason="enough")


@pytest.mark.slow
async def test_a_watched_run_that_is_terminated_ends_its_stream(
    api: Api, api_temporal: Client
) -> None:
    run = await submitted(api, metadata={"team": "a"})
    await api.journal.append(run, [started(), *deltas(3)])
    following = asyncio.create_task(follow(api, run))
    await api.opened(1)
    await asyncio.sleep(1.2)
    assert not following.done()
    await terminate(api_temporal, run)
    begun = time.monotonic()
    events = await following
    assert time.monotonic() - begun < SOON_S
    assert [event["type"] for event in events[-2:]] == ["message.delta", "run.terminated"]
    assert events[-1]["data"]["reason"] == "enough"
    answer = await api.http.get(
        f"/v1/runs/{run}/events", headers={**SSE, "Last-Event-ID": str(events[-1]["seq"])}
    )
    assert (answer.status_code, answer.content) == (204, b"")
    view = (await api.http.get(f"/v1/runs/{run}")).json()
    assert (view["status"], view["source"], view["agent"]) == ("terminated", "journal", "assistant")
    await api.quiet()


@pytest.mark.slow
async def test_a_stream_opened_after_the_termination_ends_soon(
    api: Api, api_temporal: Client
) -> None:
    begun_before, *never_begun = [await submitted(api) for _ in range(4)]
    await api.journal.append(begun_before, [started()])
    for run in (begun_before, *never_begun):
        await terminate(api_temporal, run)
    took_s = []
    for run in never_begun:
        begun = time.monotonic()
        assert [event["type"] for event in await follow(api, run)] == [
            "run.queued",
            "run.terminated",
        ]
        took_s.append(time.monotonic() - begun)
    assert min(took_s) < 0.9, "no silence of a second is waited for; a busy machine delays some"
    begun = time.monotonic()
    types = [event["type"] for event in await follow(api, begun_before)]
    assert types == ["run.queued", "run.started", "run.terminated"]
    assert time.monotonic() - begun < SOON_S


async def test_a_run_that_ended_before_it_began_still_tells_what_was_asked_for(
    api: Api, api_temporal: Client, lonely_api: Api
) -> None:
    run = await submitted(api, metadata={"team": "a"})
    before = (await api.http.get(f"/v1/runs/{run}")).json()
    await terminate(api_temporal, run)
    for _ in range(2):
        view = (await api.http.get(f"/v1/runs/{run}")).json()
        assert (view["status"], view["source"]) == ("terminated", "journal")
        told = ("agent", "model", "limits", "metadata", "created_at")
        assert [view[name] for name in told] == [before[name] for name in told]
        assert view["ended_at"]
    assert (await lonely_api.http.get(f"/v1/runs/{run}")).json()["status"] == "terminated"


async def test_a_run_of_which_the_journal_has_nothing_stays_its_tenants(
    api: Api, api_temporal: Client
) -> None:
    run = await submitted(api, metadata={"tenant": "acme", "team": "a"})
    assert await api.journal.withdraw(run)
    await terminate(api_temporal, run)
    queued, end = await follow(api, run)
    assert (queued["type"], end["type"]) == ("run.queued", "run.terminated")
    assert (queued["data"]["tenant"], queued["data"]["metadata"]["team"]) == ("acme", "a")
    assert await api.journal.owner(run) == "acme"


async def test_a_long_poll_ends_with_the_termination(api: Api, api_temporal: Client) -> None:
    run = await waiting_run(api_temporal, Waiting(kind="input", id="input_1_0"))
    waiting = asyncio.create_task(api.http.get(f"/v1/runs/{run}", params={"wait": 10}))
    await asyncio.sleep(0.3)
    await terminate(api_temporal, run)
    begun = time.monotonic()
    assert (await waiting).json()["status"] == "terminated"
    assert time.monotonic() - begun < SOON_S
    await api.quiet()


class Asked(FlakyJournal):
    """Counts how often the bounds of a run are asked for."""

    times = 0

    async def head(self, tenant: Tenant, run_id: str) -> Head | None:
        """As in `FlakyJournal`."""
        self.times += 1
        return await super().head(tenant, run_id)


async def test_while_the_journal_is_down_temporal_tells(
    api: Api, api_temporal: Client, journal: SqliteJournal
) -> None:
    run = await submitted(api)
    await terminate(api_temporal, run)
    flaky = Asked(journal)
    flaky.go_down()
    async with serving(Settings(), flaky, api_temporal) as faltering:
        view = (await faltering.http.get(f"/v1/runs/{run}")).json()
    assert (view["status"], view["source"]) == ("terminated", "temporal")
    assert flaky.times == 1, "it may take 5 s each time"
    assert await journal.head(EVERY, run) == (1, 1, False)


class Followed:
    """A run that is followed."""

    def __init__(self, name: str, last_event_at: float) -> None:
        self.run_id = name
        self.last_event_at = last_event_at
        self.over = False

    def set_missing(self, what: str | None) -> None:
        return None


@pytest.mark.slow
@pytest.mark.parametrize(
    "error", [None, TemporalUnavailable("no"), RPCError("no", RPCStatusCode.INTERNAL, b"")]
)
async def test_what_is_asked_is_bounded_and_every_silent_run_has_its_turn(
    error: Exception | None,
) -> None:
    asked: list[str] = []

    async def close(run_id: str) -> bool:
        asked.append(run_id)
        if error:
            raise error
        return run_id == "silent 0"

    async def silent_s(run_id: str) -> float | None:
        return None

    async def unserved(run_id: str) -> str | None:
        return None

    watchdog, now = Watchdog(close, silent_s, unserved), asyncio.get_running_loop().time()
    silent = [Followed(f"silent {number}", now - 5) for number in range(MAX_ASKED + 5)]
    busy, gone, over = Followed("busy", now + 60), Followed("gone", 0), Followed("over", 0)
    over.over = True
    for run in (*silent, busy, gone, over):
        watchdog.watch(run)
    watchdog.forget(gone)
    await eventually(lambda: bool(asked))
    assert len(asked) == MAX_ASKED
    await eventually(lambda: len(asked) > MAX_ASKED)
    assert sorted(asked) == sorted(run.run_id for run in silent)
    await watchdog.close()
    await watchdog.close()
