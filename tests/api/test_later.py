"""Runs that start later: a durable timer in the run, which takes commands meanwhile."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relayline.journal.sqlite.journal import SqliteJournal
from tests.api.serving import Api, envelopes

GOOD = {"agent": "assistant", "input": "hello"}
SHORT = {"agent": "assistant", "input": json.dumps({"rehearse": [{"say": "done"}]})}
FAR = "2999-01-01T00:00:00Z"


def at(seconds: float) -> str:
    """The time in so many seconds."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def submitted(api: Api, body: dict[str, Any], **fields: Any) -> str:
    answer = await api.http.post("/v1/runs", json={**body, **fields})
    assert (answer.status_code, answer.json()["status"]) == (202, "scheduled"), answer.text
    run_id: str = answer.json()["run_id"]
    return run_id


async def found(api: Api, run: str, wait: float = 0) -> dict[str, Any]:
    view: dict[str, Any] = (
        await api.http.get(f"/v1/runs/{run}", params={"wait": wait}, timeout=90)
    ).json()
    return view


async def sent(api: Api, run: str, command: str, **body: Any) -> dict[str, Any]:
    """Send the command; its outcome."""
    answer = await api.http.post(f"/v1/runs/{run}/{command}", json=body)
    assert answer.status_code == 202, answer.text
    path = f"/v1/runs/{run}/commands/{answer.json()['command_id']}"
    outcome: dict[str, Any] = (await api.http.get(path, params={"wait": 30}, timeout=60)).json()
    return outcome


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"start_at": "tomorrow"}, "start_at"),
        ({"start_at": "2027-01-01T00:00:00"}, "start_at"),
        ({"start_at": FAR}, "start_at"),
        ({"delay_s": 0}, "delay_s"),
        ({"delay_s": -1}, "delay_s"),
        ({"delay_s": "1"}, "delay_s"),
        ({"delay_s": 400 * 86_400}, "delay_s"),
        ({"delay_s": 5, "start_at": at(5)}, "delay_s"),
        ({"priority": 0}, "priority"),
        ({"priority": 6}, "priority"),
        ({"priority": True}, "priority"),
        ({"fairness_key": ""}, "fairness_key"),
        ({"fairness_key": "x" * 65}, "fairness_key"),
    ],
)
async def test_a_time_that_can_not_be_is_named(
    api: Api, fields: dict[str, Any], field: str
) -> None:
    answer = await api.http.post("/v1/runs", json={**GOOD, **fields})
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


async def test_a_time_in_the_past_is_at_once(api: Api) -> None:
    answer = await api.http.post("/v1/runs", json={**GOOD, "start_at": at(-60)})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


async def test_a_scheduled_run_is_listed_as_such_without_a_worker(api: Api) -> None:
    run = await submitted(api, GOOD, start_at=at(3600), metadata={"mine": "later"})
    view = await found(api, run)
    assert (view["status"], view["attention"]) == ("scheduled", None)
    params = {"status": "scheduled", "metadata.mine": "later", "open": "true"}
    [listed] = (await api.http.get("/v1/runs", params=params)).json()["runs"]
    assert listed["run_id"] == run
    assert listed["start_at"].rstrip("Z") == view["start_at"].rstrip("Z")


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_a_run_starts_at_its_time_and_works_from_then_on(
    api: Api, journal: SqliteJournal
) -> None:
    run = await submitted(api, SHORT, delay_s=5, limits={"max_wall_s": 4.5})
    due = datetime.fromisoformat((await found(api, run))["start_at"])
    assert (await found(api, run, wait=60))["status"] == "completed"
    events = await envelopes(journal, run)
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["run.queued", "message.user", "run.started"]
    assert kinds.count("message.user") == kinds.count("run.started") == 1
    assert datetime.fromisoformat(events[2]["at"]) >= due


@pytest.mark.usefixtures("working")
async def test_a_run_that_is_cancelled_before_its_time_has_never_started(
    api: Api, journal: SqliteJournal
) -> None:
    run = await submitted(api, SHORT, delay_s=3600)
    assert (await sent(api, run, "cancel", reason="no need"))["state"] == "applied"
    view = await found(api, run, wait=30)
    assert (view["status"], view["step"]) == ("cancelled", 0)
    kinds = [event["type"] for event in await envelopes(journal, run)]
    assert "run.started" not in kinds
    assert kinds[-1] == "run.cancelled"


async def paused_in_time(api: Api, journal: SqliteJournal) -> tuple[str, datetime]:
    """A run that was paused before its time, and that time; a busy machine may be late for it."""
    for delay_s in (3, 12, 48):
        run = await submitted(api, SHORT, delay_s=delay_s)
        due = datetime.fromisoformat((await found(api, run))["start_at"])
        if (await sent(api, run, "pause"))["state"] == "applied":
            kinds = [event["type"] for event in await envelopes(journal, run)]
            if "run.started" not in kinds:
                assert (await found(api, run))["status"] == "paused"
                return run, due
    raise TimeoutError("no pause was in time")


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_commands_reach_a_run_before_its_time(api: Api, journal: SqliteJournal) -> None:
    run, due = await paused_in_time(api, journal)
    assert (await sent(api, run, "redirect", message="be brief"))["state"] == "applied"
    await asyncio.sleep(max((due - datetime.now(UTC)).total_seconds() + 0.5, 0.5))
    assert (await found(api, run))["status"] == "paused", "a paused run does not start"
    assert (await sent(api, run, "resume"))["state"] == "applied"
    view = await found(api, run, wait=60)
    assert (view["status"], view["output"]) == ("completed", "Understood: be brief")
    events = await envelopes(journal, run)
    said = [event["data"]["text"] for event in events if event["type"] == "message.user"]
    assert said == [SHORT["input"], "be brief"]


@pytest.mark.usefixtures("working")
async def test_a_run_that_is_resumed_before_its_time_is_scheduled_again(api: Api) -> None:
    run = await submitted(api, SHORT, delay_s=3600)
    for command, status in (("pause", "paused"), ("resume", "scheduled")):
        await sent(api, run, command)
        assert (await found(api, run))["status"] == status
        [listed] = (await api.http.get("/v1/runs", params={"q": run})).json()["runs"]
        assert listed["status"] == status
    await sent(api, run, "cancel")
