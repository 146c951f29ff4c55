"""Lists of runs: newest first, by cursor, by status."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client

from relayline.api.runs.listing import ListCursor, newest, query_for
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.runs import Waiting
from tests.api.serving import Api, waiting_run
from tests.api.test_runs import submitted


async def test_lists_are_newest_first_and_walked_by_cursor(api: Api, api_temporal: Client) -> None:
    made = [await submitted(api, agent="brief") for _ in range(7)]
    await api_temporal.get_workflow_handle(made[5]).terminate()
    listed: list[str] = []
    async with asyncio.timeout(60):
        while len(listed) < 7:
            listed = await walk(api, {"agent": "brief", "limit": 100})
            listed = [run for run in listed if run in made]
            await asyncio.sleep(0.1)
    assert listed == made[::-1]
    by_three = await walk(api, {"agent": "brief", "limit": 3})
    assert [run for run in by_three if run in made] == made[::-1]
    assert len(set(by_three)) == len(by_three)


@pytest.mark.slow
async def test_a_list_too_long_to_read_whole_is_cut_into_windows(
    api: Api, api_temporal: Client
) -> None:
    made = [await submitted(api, agent="brief") for _ in range(25)]
    gateway, query = Gateway(api_temporal), query_for(None, "brief")
    async with asyncio.timeout(60):
        while made[-1] not in await walk(api, {"agent": "brief", "limit": 1}):
            await asyncio.sleep(0.1)
    listed: list[str] = []
    place: ListCursor | None = None
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
    async with asyncio.timeout(60):
        while ended not in listed:
            await asyncio.sleep(0.1)
            listed = await walk(api, {"status": "terminated", "limit": 100})
    assert queued not in listed
    listed = await walk(api, {"status": "queued", "limit": 100})
    assert queued in listed
    assert ended not in listed
    for status in ("running", "paused", "waiting", "completed", "failed", "cancelled", "timed_out"):
        assert queued not in await walk(api, {"status": status, "limit": 100})


async def test_runs_that_wait_are_listed_with_what_they_wait_for(
    api: Api, api_temporal: Client
) -> None:
    wanted = Waiting(kind="approval", id="approval_1_0", what="write_file(path=a.txt)")
    waits, queued = await waiting_run(api_temporal, wanted), await submitted(api)
    found: dict[str, Any] = {}
    async with asyncio.timeout(60):
        while waits not in found:
            await asyncio.sleep(0.1)
            answer = await api.http.get("/v1/runs", params={"status": "waiting", "limit": 100})
            found = {item["run_id"]: item for item in answer.json()["runs"]}
    assert queued not in found
    assert found[waits]["status"] == "waiting"
    assert found[waits]["waiting_for"] == [wanted.model_dump()]
    view = (await api.http.get(f"/v1/runs/{waits}")).json()
    assert (view["status"], view["waiting_for"]) == ("waiting", [wanted.model_dump()])
    await api_temporal.get_workflow_handle(waits).terminate()
    view = (await api.http.get(f"/v1/runs/{waits}")).json()
    assert (view["status"], view["waiting_for"]) == ("terminated", [])


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
    place = ListCursor.decode("MjAyNi0xMS0yM1QxMDo1Nzo0Ni45MzM1NzQrMDA6MDB8cnVuX2E=")
    assert ListCursor.decode(place.encode()) == place
    assert place.run_id == "run_a"
