"""Who watches a silent run is told what it lacks to go on, once, and without disturbing cursors."""

from __future__ import annotations

import asyncio
import json

import pytest

from relayline.api.streams.watchdog import (
    CHECK_EVERY_S,
    GONE_S,
    MAX_ASKED,
    NO_TEMPORAL,
    NO_WORKER,
    Watchdog,
)
from relayline.api.temporal.stuck import KNOWN_S
from tests.api.serving import SSE, Api, completed, deltas, eventually, frames, run_id, started
from tests.api.test_runs import submitted

TOLD_S = 12.0


async def first_notice(api: Api, run: str) -> list[tuple[str, str, str]]:
    """The frames of a stream up to its first notice."""
    got: list[tuple[str, str, str]] = []
    path = f"/v1/runs/{run}/events"
    async with asyncio.timeout(TOLD_S), api.http.stream("GET", path, headers=SSE) as answer:
        async for seq, kind, data in frames(answer):
            got.append((seq, kind, data))
            if kind == "worker.unavailable":
                break
    return got


@pytest.mark.slow
async def test_a_silent_stream_says_that_temporal_or_every_worker_is_not_there(
    api: Api, lonely_api: Api
) -> None:
    run = await submitted(api)
    await api.journal.append(run, [started(), *deltas(2)])
    without_worker, without_temporal = await asyncio.gather(
        first_notice(api, run), first_notice(lonely_api, run)
    )
    for got, reason in ((without_worker, NO_WORKER), (without_temporal, NO_TEMPORAL)):
        assert [seq for seq, _, _ in got] == ["1", "2", "3", "4", ""]
        told = json.loads(got[-1][2])
        assert told.pop("at").endswith("Z")
        assert told == {"run_id": run, "type": "worker.unavailable", "data": {"reason": reason}}
    await api.journal.append(run, [completed()])
    await api.quiet()


@pytest.mark.slow
async def test_a_run_that_temporal_does_not_know_is_no_witness(api: Api) -> None:
    run = run_id()
    await asyncio.sleep(KNOWN_S)  # until what another run has shown is forgotten
    await api.journal.append(run, [started()])
    following = asyncio.create_task(first_notice(api, run))
    await asyncio.sleep(GONE_S + 3)
    await api.journal.append(run, [completed()])
    assert [kind for _, kind, _ in await following] == ["run.started", "run.completed"]


class Followed:
    """A run that is followed, and what it was told."""

    def __init__(self, name: str, last_event_at: float) -> None:
        self.run_id = name
        self.last_event_at = last_event_at
        self.over = False
        self.told: list[str | None] = []

    def set_missing(self, what: str | None) -> None:
        if self.told[-1:] != [what]:
            self.told.append(what)


@pytest.mark.slow
async def test_what_one_silent_run_shows_holds_for_all_of_them() -> None:
    answers: list[float | None] = [None, 0, GONE_S - 0.1, GONE_S]

    async def close(run: str) -> bool:
        return False

    async def silent_s(run: str) -> float | None:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def unserved(run: str) -> str | None:
        return unserved_kind if run == "silent 1" else None

    unserved_kind: str | None = None
    watchdog, now = Watchdog(close, silent_s, unserved), asyncio.get_running_loop().time()
    silent = [Followed(f"silent {number}", now - 5) for number in range(3 * MAX_ASKED)]
    busy = Followed("busy", now + 60)
    for run in (*silent, busy):
        watchdog.watch(run)
    await eventually(lambda: silent[0].told[-1:] == [NO_WORKER])
    assert all(run.told == [None, NO_WORKER] for run in silent)
    answers[:] = [0]
    await asyncio.sleep(2 * CHECK_EVERY_S)
    assert all(run.told == [None, NO_WORKER, None] for run in silent)
    assert busy.told == []
    unserved_kind = "no worker for tools"
    await eventually(lambda: silent[1].told[-1:] == [unserved_kind])
    assert silent[0].told[-1:] == [None], "that is one run's own trouble"
    unserved_kind = None
    await eventually(lambda: silent[1].told[-1:] == [None])
    await watchdog.close()
