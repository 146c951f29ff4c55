"""Progress: one query for all, the memo when no worker answers."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest

from tests.api.serving import SSE, Api, completed, ended_run, frames, run_id, started


async def submitted(api: Api, script: dict[str, Any] | None = None) -> str:
    text = json.dumps(script) if script else "hello"
    answer = await api.http.post("/v1/runs", json={"agent": "assistant", "input": text})
    found: str = answer.json()["run_id"]
    return found


async def watch(api: Api, run: str) -> list[dict[str, Any]]:
    """Every frame until the stream ends."""
    got = []
    async with api.http.stream("GET", f"/v1/runs/{run}/progress", headers=SSE) as answer:
        assert answer.status_code == 200
        async for seq, kind, data in frames(answer):
            assert (seq, kind) == ("", "progress")
            got.append(json.loads(data))
    return got


@pytest.mark.usefixtures("working")
async def test_watchers_see_each_change_once_and_the_end(api: Api) -> None:
    script = {
        "rehearse": [
            {"say": "a b c d e f g h i j", "every_ms": 40},
            {"call": "calculate", "arguments": {"expression": "6*7"}},
            {"say": "k l m n o p q r s t", "every_ms": 40},
        ]
    }
    run = await submitted(api, script)
    seen = await asyncio.gather(*(watch(api, run) for _ in range(20)))
    for frames_seen in seen:
        assert frames_seen[-1]["status"] == "completed"
        assert all(a != b for a, b in pairwise(frames_seen))
        steps = [frame["step"] for frame in frames_seen]
        assert steps == sorted(steps)
        assert {"query"} <= {frame["source"] for frame in frames_seen}
    assert len({json.dumps(frames_seen[-1]) for frames_seen in seen}) == 1
    await api.quiet()


@pytest.mark.slow
async def test_without_a_worker_the_memo_answers(api: Api) -> None:
    run = await submitted(api)
    view, again = await asyncio.gather(
        *(api.http.get(f"/v1/runs/{run}/progress") for _ in range(2))
    )
    assert view.json() == again.json()
    assert view.json()["source"] == "memo"
    assert view.json()["status"] == "queued"
    assert view.json()["agent"] == "assistant"


async def test_an_ended_run_shows_its_last_state_and_closes(api: Api, lonely_api: Api) -> None:
    run = await ended_run(api.journal)
    for server in (api, lonely_api):
        assert (await server.http.get(f"/v1/runs/{run}/progress")).json()["source"] == "journal"
        [last] = await watch(server, run)
        assert last["status"] == "completed"
        await server.quiet()


async def test_a_watcher_with_temporal_down_sees_what_the_journal_shows(lonely_api: Api) -> None:
    run = run_id()
    await lonely_api.journal.append(run, [started()])
    watching = asyncio.create_task(watch(lonely_api, run))
    await asyncio.sleep(0.3)
    await lonely_api.journal.append(run, [completed()])
    seen = await watching
    assert [frame["status"] for frame in seen] == ["running", "completed"]
    assert {frame["source"] for frame in seen} == {"journal"}


async def test_an_unknown_run_has_no_progress(api: Api, lonely_api: Api) -> None:
    for headers in (SSE, {}):
        path = f"/v1/runs/{run_id()}/progress"
        assert (await api.http.get(path, headers=headers)).status_code == 404
        assert (await lonely_api.http.get(path, headers=headers)).status_code == 503
