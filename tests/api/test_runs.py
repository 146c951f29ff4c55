"""Looking at runs: the right source at the right time, newest first in lists."""

from __future__ import annotations

import asyncio
import time

import pytest
from temporalio.client import Client

from api.listing import Place, newest, query_for
from contracts.envelope import NewEvent
from contracts.events import MessageCompleted, RunFailed, RunPaused
from contracts.messages import Usage
from contracts.runs import RunError
from tests.api.serving import Api, completed, deltas, ended_run, run_id, said, started


async def submitted(api: Api, **fields: object) -> str:
    body = {"agent": "assistant", "input": "hello", **fields}
    answer = await api.http.post("/v1/runs", json=body)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["run_id"]
    return found


async def test_an_ended_run_is_read_from_its_terminal_fact_with_temporal_down(
    lonely_api: Api,
) -> None:
    run = run_id()
    await lonely_api.journal.append(
        run, [started(metadata={"k": "v"}), said("hello"), *deltas(5), completed("forty-two")]
    )
    begun = time.monotonic()
    view = (await lonely_api.http.get(f"/v1/runs/{run}")).json()
    assert time.monotonic() - begun < 0.5
    assert view["status"] == "completed"
    assert view["output"] == "forty-two"
    assert view["usage"] == {"input_tokens": 3, "output_tokens": 4}
    assert view["step"] == 1
    assert view["agent"] == "assistant"
    assert view["metadata"] == {"k": "v"}
    assert view["created_at"] <= view["ended_at"]
    assert view["source"] == "journal"
    assert view["error"] is None
    assert view["waiting_for"] == []
    assert view["links"]["temporal_ui"] is None


async def test_a_failed_run_says_why(api: Api) -> None:
    run = run_id()
    error = RunError(type="budget-exceeded", message="max_steps is 3", step=3)
    await api.journal.append(
        run, [started(), NewEvent(key="0/run/ended", step=3, body=RunFailed(error=error))]
    )
    view = (await api.http.get(f"/v1/runs/{run}")).json()
    assert view["status"] == "failed"
    assert view["error"] == error.model_dump()
    assert view["output"] is None


async def test_a_running_run_is_told_from_its_facts_while_temporal_is_down(
    lonely_api: Api,
) -> None:
    run = run_id()
    message = MessageCompleted(
        text="x", finish_reason="stop", usage=Usage(input_tokens=5, output_tokens=6)
    )
    await lonely_api.journal.append(
        run,
        [
            started(),
            said("hello"),
            NewEvent(key="0/step/1/message", step=1, body=message),
            NewEvent(key="0/command/c/pause", step=1, body=RunPaused()),
        ],
    )
    view = (await lonely_api.http.get(f"/v1/runs/{run}")).json()
    assert view["source"] == "journal"
    assert view["status"] == "paused"
    assert view["waiting_for"][0]["kind"] == "resume"
    assert view["usage"] == {"input_tokens": 5, "output_tokens": 6}
    assert view["step"] == 1


async def test_an_unknown_run_is_404_or_503_when_nobody_can_tell(api: Api, lonely_api: Api) -> None:
    for run in (run_id(), "run_x", "what"):
        assert (await api.http.get(f"/v1/runs/{run}")).status_code == 404
    answer = await lonely_api.http.get(f"/v1/runs/{run_id()}")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def test_a_run_that_was_terminated_in_temporal_says_so(
    api: Api, api_temporal: Client
) -> None:
    run = await submitted(api)
    await api_temporal.get_workflow_handle(run).terminate("enough")
    view = (await api.http.get(f"/v1/runs/{run}")).json()
    assert view["status"] == "terminated"
    assert view["ended_at"]


async def test_waiting_ends_with_the_run(api: Api) -> None:
    run = await submitted(api)
    waiting = asyncio.create_task(api.http.get(f"/v1/runs/{run}", params={"wait": 30}))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    begun = time.monotonic()
    await api.journal.append(run, [started(), completed("at last")])
    view = (await waiting).json()
    assert time.monotonic() - begun < 0.5
    assert (view["status"], view["output"]) == ("completed", "at last")
    await api.quiet()


async def test_waiting_is_bounded_and_an_ended_run_answers_at_once(api: Api) -> None:
    run = await submitted(api)
    begun = time.monotonic()
    view = (await api.http.get(f"/v1/runs/{run}", params={"wait": 0.3})).json()
    assert view["status"] == "queued"
    assert 0.3 <= time.monotonic() - begun < 1
    ended = await ended_run(api.journal)
    begun = time.monotonic()
    await api.http.get(f"/v1/runs/{ended}", params={"wait": 30})
    assert time.monotonic() - begun < 0.5
    for wait in ("61", "-1", "x"):
        answer = await api.http.get(f"/v1/runs/{run}", params={"wait": wait})
        assert (answer.status_code, answer.json()["field"]) == (422, "wait")


async def test_a_waiting_client_that_goes_away_leaves_nothing_behind(api: Api) -> None:
    run = await submitted(api)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await api.http.get(f"/v1/runs/{run}", params={"wait": 30})
    await api.quiet()


async def test_lists_are_newest_first_and_walked_by_cursor(api: Api, api_temporal: Client) -> None:
    made = [await submitted(api, agent="brief") for _ in range(7)]
    await api_temporal.get_workflow_handle(made[5]).terminate()
    listed: list[str] = []
    async with asyncio.timeout(10):
        while len(listed) < 7:
            listed = await walk(api, {"agent": "brief", "limit": 100})
            listed = [run for run in listed if run in made]
            await asyncio.sleep(0.1)
    assert listed == made[::-1]
    by_three = await walk(api, {"agent": "brief", "limit": 3})
    assert [run for run in by_three if run in made] == made[::-1]
    assert len(set(by_three)) == len(by_three)


async def test_a_list_too_long_to_read_whole_is_cut_into_windows(api: Api) -> None:
    made = [await submitted(api, agent="brief") for _ in range(25)]
    gateway, query = api.services.gateway, query_for(None, "brief")
    async with asyncio.timeout(10):
        while made[-1] not in await walk(api, {"agent": "brief", "limit": 1}):
            await asyncio.sleep(0.1)
    listed: list[str] = []
    place: Place | None = None
    while not set(made) <= set(listed):
        page, place = await newest(gateway, query, 3, place, window=9)
        assert len(page) == 3
        listed += [item.run_id for item in page]
        assert place is not None
    assert [run for run in listed if run in made] == made[::-1]
    assert len(set(listed)) == len(listed)


async def walk(api: Api, params: dict[str, str | int]) -> list[str]:
    """The ids of every page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        extra = {"cursor": cursor} if cursor else {}
        answer = await api.http.get("/v1/runs", params={**params, **extra})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [item["run_id"] for item in page["runs"]]
        cursor = page["cursor"]
        if cursor is None:
            return found


async def test_lists_are_filtered_by_status(api: Api, api_temporal: Client) -> None:
    queued, ended = await submitted(api), await submitted(api)
    await api_temporal.get_workflow_handle(ended).terminate()
    listed: list[str] = []
    async with asyncio.timeout(10):
        while ended not in listed:
            await asyncio.sleep(0.1)
            listed = await walk(api, {"status": "terminated", "limit": 100})
    assert queued not in listed
    listed = await walk(api, {"status": "queued", "limit": 100})
    assert queued in listed
    assert ended not in listed
    for status in ("running", "paused", "waiting", "completed", "failed", "cancelled", "timed_out"):
        assert queued not in await walk(api, {"status": status, "limit": 100})


@pytest.mark.parametrize(
    ("params", "status", "field"),
    [
        ({"cursor": "???"}, 400, "cursor"),
        ({"cursor": "bm9wZQ=="}, 400, "cursor"),
        ({"status": "asleep"}, 422, "status"),
        ({"limit": "0"}, 422, "limit"),
        ({"limit": "101"}, 422, "limit"),
        ({"agent": "x' OR 'a'='a"}, 422, "agent"),
    ],
)
async def test_a_bad_list_request_names_what_is_wrong(
    api: Api, params: dict[str, str], status: int, field: str
) -> None:
    answer = await api.http.get("/v1/runs", params=params)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


async def test_a_list_is_503_while_temporal_is_down(lonely_api: Api) -> None:
    assert (await lonely_api.http.get("/v1/runs")).status_code == 503


def test_a_place_survives_its_cursor() -> None:
    place = Place.decode("MjAyNi0xMS0yM1QxMDo1Nzo0Ni45MzM1NzQrMDA6MDB8cnVuX2E=")
    assert Place.decode(place.encode()) == place
    assert place.run_id == "run_a"
