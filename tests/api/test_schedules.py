"""Schedules: times and time zones as Temporal counts them, one run for each time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from temporalio.client import Client, ScheduleBackfill, ScheduleOverlapPolicy

from relayline.api.temporal.schedules import Action
from relayline.contracts.submissions.batches import SUBMISSIONS_QUEUE
from relayline.contracts.submissions.schedules import SCHEDULE_PREFIX, SubmitRequest
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from relayline.workflows.submissions.submit import Submit
from tests.api.serving import Api, envelopes

RUN = {"agent": "assistant", "input": json.dumps({"rehearse": [{"say": "done"}]})}
LONG = {"agent": "assistant", "input": json.dumps({"rehearse": [{"tokens": 9999, "every_ms": 50}]})}
NEVER = {"cron": "0 0 1 1 *"}


def new_id() -> str:
    return f"s{uuid4().hex}"


async def create(api: Api, **fields: Any) -> httpx.Response:
    return await api.http.post("/v1/schedules", json={"run": RUN, **fields})


async def view(api: Api, schedule: str) -> dict[str, Any]:
    answer = await api.http.get(f"/v1/schedules/{schedule}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def runs_of(api: Api, schedule: str, count: int, *statuses: str) -> list[dict[str, Any]]:
    """The schedule's newest runs once there are that many, all with one of these statuses."""
    async with asyncio.timeout(60):
        while True:
            answer = await api.http.get(f"/v1/schedules/{schedule}")
            runs: list[dict[str, Any]] = answer.json().get("runs", [])
            if len(runs) >= count and all(it["status"] in statuses for it in runs):
                return runs
            await asyncio.sleep(0.1)


async def newest(api: Api, schedule: str) -> str:
    """When the newest run of the schedule was due; it shows no more than ten."""
    times = [it["scheduled_at"] for it in (await view(api, schedule))["runs"]]
    return max(times, default="")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "cron"),
        ({"cron": "0 0 * * *", "every_s": 60}, "cron"),
        ({"cron": "every day"}, "cron"),
        ({"cron": "@hourly"}, "cron"),
        ({"cron": "CRON_TZ=UTC 0 0 * * *"}, "cron"),
        ({"cron": "61 0 * * *"}, "cron"),
        ({"every_s": 0}, "every_s"),
        ({"every_s": 1.5}, "every_s"),
        ({**NEVER, "timezone": "Mars/Base"}, "timezone"),
        ({**NEVER, "timezone": "../etc/passwd"}, "timezone"),
        ({**NEVER, "overlap": "never"}, "overlap"),
        ({**NEVER, "schedule_id": "a b"}, "schedule_id"),
        ({**NEVER, "run": {"agent": "nobody", "input": "x"}}, "run.agent"),
        ({**NEVER, "run": {"agent": "assistant"}}, "run.input"),
        ({**NEVER, "run": {**RUN, "start_at": "2027-01-01T00:00:00Z"}}, "run.start_at"),
        ({**NEVER, "surprise": 1}, "surprise"),
    ],
)
async def test_a_bad_schedule_names_what_is_wrong(
    api: Api, fields: dict[str, Any], field: str
) -> None:
    answer = await create(api, **fields)
    assert (answer.status_code, answer.json().get("field")) == (422, field), answer.text


async def test_a_schedule_is_made_once_and_another_with_its_id_is_refused(api: Api) -> None:
    schedule = new_id()
    answers = [await create(api, schedule_id=schedule, **NEVER) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200], answers[0].text
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["run"] == RUN
    other = await create(api, schedule_id=schedule, every_s=60)
    assert (other.status_code, other.json()["field"]) == (409, "schedule_id")
    assert (await api.http.delete(f"/v1/schedules/{schedule}")).status_code == 204
    for call in (
        api.http.get(f"/v1/schedules/{schedule}"),
        api.http.delete(f"/v1/schedules/{schedule}"),
        api.http.post(f"/v1/schedules/{schedule}/trigger"),
        api.http.patch(f"/v1/schedules/{schedule}", json={"paused": True}),
    ):
        answer = await call
        assert (answer.status_code, answer.json()["type"]) == (
            404,
            "urn:relayline:problem:unknown-schedule",
        )


async def test_without_temporal_a_schedule_is_refused_with_503(lonely_api: Api) -> None:
    answer = await create(lonely_api, **NEVER)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def due(local: set[str], first: datetime, days: int, zone: str = "Europe/Berlin") -> list[datetime]:
    """When a clock in the zone shows one of these times on these days; the last time it does so."""
    minutes = (first + timedelta(minutes=number) for number in range(days * 1440))
    shown = {f"{it.astimezone(ZoneInfo(zone)):%d %H:%M}": it for it in minutes}
    return [moment for text, moment in shown.items() if text[3:] in local]


async def test_times_are_those_of_the_zone_also_when_its_clocks_change(api: Api) -> None:
    answer = await create(api, cron="30 12 28-29 3 *", timezone="Europe/Berlin")
    times = [datetime.fromisoformat(it) for it in answer.json()["next"]]
    first = datetime(datetime.now(UTC).year, 3, 28, tzinfo=UTC)
    expected = [
        moment
        for year in range(4)
        for moment in due({"12:30"}, first.replace(year=first.year + year), 2)
        if moment > datetime.now(UTC)
    ]
    assert times == expected[:5]


@pytest.mark.parametrize(
    ("month", "times"),
    [(3, ["02:30"]), (10, ["01:30", "03:30"])],
    ids=["skipped", "repeated"],
)
async def test_a_time_that_the_clocks_skip_has_no_run_and_one_that_they_repeat_has_one(
    api: Api, api_temporal: Client, month: int, times: list[str]
) -> None:
    """Of 02:30 and 04:30 on the last Sunday, as it is told and as Temporal does it."""
    berlin, name = {"timezone": "Europe/Berlin"}, new_id()
    cron = f"30 2,4 25-31 {month} 0"
    answer = await create(api, schedule_id=name, cron=cron, overlap="all", **berlin)
    told = [datetime.fromisoformat(it) for it in answer.json()["next"]]
    days = sorted({moment.date() for moment in told})
    assert all(it.weekday() == 6 and it.day >= 25 for it in days)
    midnights = (datetime(it.year, it.month, it.day, tzinfo=UTC) for it in days)
    assert told == [moment for it in midnights for moment in due({"02:30", "04:30"}, it, 1)][:5]
    assert [f"{moment:%H:%M}" for moment in told if moment.date() == days[0]] == times
    sunday = {3: datetime(2026, 3, 29, tzinfo=UTC), 10: datetime(2026, 10, 25, tzinfo=UTC)}[month]
    handle = api_temporal.get_schedule_handle(f"{SCHEDULE_PREFIX}{name}")
    await handle.backfill(
        ScheduleBackfill(
            sunday, sunday + timedelta(days=1), overlap=ScheduleOverlapPolicy.ALLOW_ALL
        )
    )
    done: list[datetime] = []
    async with asyncio.timeout(60):
        while len(done) < len(times):
            await asyncio.sleep(0.1)
            done = [it.scheduled_at for it in (await handle.describe()).info.recent_actions]
    assert sorted(done) == due({"02:30", "04:30"}, sunday, 1)
    await api.http.delete(f"/v1/schedules/{name}")


@pytest.mark.usefixtures("working")
async def test_each_trigger_is_one_run_with_what_the_schedule_says(
    api: Api, journal: SqliteJournal
) -> None:
    schedule = (await create(api, **NEVER, overlap="all")).json()["schedule_id"]
    assert (await api.http.post(f"/v1/schedules/{schedule}/trigger")).status_code == 202
    [first] = await runs_of(api, schedule, 1, "completed")
    await asyncio.sleep(1.1)  # a time is a whole second, and one time is one run
    await api.http.post(f"/v1/schedules/{schedule}/trigger")
    newest, older = await runs_of(api, schedule, 2, "completed")
    assert older == first
    assert newest["run_id"] != first["run_id"]
    assert newest["scheduled_at"] > first["scheduled_at"]


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_a_time_is_skipped_while_the_run_before_has_not_ended(
    api: Api, api_temporal: Client
) -> None:
    schedule = (await create(api, every_s=1, run=LONG)).json()["schedule_id"]
    [run] = await runs_of(api, schedule, 1, "running")
    handle = api_temporal.get_schedule_handle(f"{SCHEDULE_PREFIX}{schedule}")
    async with asyncio.timeout(60):
        while (await handle.describe()).info.num_actions_skipped_overlap < 2:
            await asyncio.sleep(0.1)
    assert len((await view(api, schedule))["runs"]) == 1
    await api.http.delete(f"/v1/schedules/{schedule}")
    await api.http.post(f"/v1/runs/{run['run_id']}/cancel")


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_times_wait_in_order_until_the_run_before_has_ended(
    api: Api, journal: SqliteJournal
) -> None:
    second = {"rehearse": [{"tokens": 20, "every_ms": 50}]}
    run = {"agent": "assistant", "input": json.dumps(second)}
    schedule = (await create(api, every_s=1, overlap="queue", run=run)).json()["schedule_id"]
    runs: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while len(runs) < 3:
            await asyncio.sleep(0.2)
            shown = reversed((await view(api, schedule))["runs"])
            runs = [it for it in shown if it["status"] == "completed"]
    await api.http.delete(f"/v1/schedules/{schedule}")
    times = [datetime.fromisoformat(it["scheduled_at"]) for it in runs]
    assert [later - before for before, later in pairwise(times)] == [timedelta(seconds=1)] * (
        len(runs) - 1
    ), "none is left out"
    facts = [
        {it["type"]: it["at"] for it in await envelopes(journal, run["run_id"])} for run in runs
    ]
    for before, later in pairwise(facts):
        assert before["run.completed"] < later["run.queued"], "one at a time"


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_a_paused_schedule_submits_nothing_until_it_continues(api: Api) -> None:
    schedule = (await create(api, every_s=1, overlap="all")).json()["schedule_id"]
    path = f"/v1/schedules/{schedule}"
    await runs_of(api, schedule, 1, "completed", "running", "queued")
    assert (await api.http.patch(path, json={"paused": True})).json()["paused"]
    last = ""
    async with asyncio.timeout(60):  # what was on its way may still come
        while last != (last := await newest(api, schedule)):
            await asyncio.sleep(2.5)
    assert not (await api.http.patch(path, json={"paused": False})).json()["paused"]
    async with asyncio.timeout(60):
        while last == await newest(api, schedule):
            await asyncio.sleep(0.1)
    await api.http.delete(path)


@pytest.mark.usefixtures("working")
async def test_a_run_that_is_refused_shows_among_the_newest(api: Api, api_temporal: Client) -> None:
    """As when the agent has left the catalog since the schedule was made."""
    handle = await api_temporal.start_workflow(
        Submit.run,
        request := SubmitRequest(schedule_id="x", run={"agent": "gone", "input": "x"}, waits=True),
        id=f"schedule-{new_id()}",
        task_queue=SUBMISSIONS_QUEUE,
    )
    result = await handle.result()
    assert result.problem is not None
    assert (result.problem["status"], result.problem["field"]) == (422, "agent")
    action = Action(datetime.now(UTC), handle.id)
    shown = await api.services.schedules.outcome(EVERY, action, request)
    assert (shown.status, shown.problem) == (None, result.problem)


async def test_schedules_are_listed_page_by_page(api: Api) -> None:
    made = {(await create(api, **NEVER)).json()["schedule_id"] for _ in range(3)}
    async with asyncio.timeout(60):
        while True:
            found: list[dict[str, Any]] = []
            cursor: str | None = None
            first = True
            while first or cursor:
                first = False
                params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
                answer = await api.http.get("/v1/schedules", params=params)
                assert answer.status_code == 200, answer.text
                page = answer.json()
                found += page["schedules"]
                cursor = page["cursor"]
            if made <= {it["schedule_id"] for it in found}:
                break
            await asyncio.sleep(0.2)
    assert not any(it["schedule_id"].startswith("relayline") for it in found)
    bad = await api.http.get("/v1/schedules", params={"cursor": "nonsense"})
    assert bad.status_code == 400
