"""Lists of runs: newest first, exact at once, by cursor and by every filter."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunFailed
from relayline.contracts.events.run import RunQueued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.runs import RunError
from tests.api.asking import APPROVAL, asks
from tests.api.serving import Api, completed, run_id, started
from tests.api.test_runs import submitted

Filter = dict[str, Any]


async def walk(api: Api, params: Filter) -> list[str]:
    """The ids of every page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        extra = {"cursor": cursor} if cursor else {}
        page = await listed(api, {**params, **extra})
        found += [item["run_id"] for item in page["runs"]]
        cursor = page["cursor"]
        if cursor is None:
            return found


async def listed(api: Api, params: Filter) -> dict[str, Any]:
    answer = await api.http.get("/v1/runs", params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def counted(api: Api, params: Filter) -> dict[str, Any]:
    answer = await api.http.get("/v1/runs/counts", params=params)
    assert answer.status_code == 200, answer.text
    counts: dict[str, Any] = answer.json()
    return counts


async def queued(api: Api, **fields: Any) -> str:
    """A run that only the journal knows."""
    new = run_id()
    given = {"agent": "assistant", "model": "rehearsal", "submitted_at": datetime.now(UTC)}
    body = RunQueued(**{**given, **fields})
    await api.journal.append(new, [NewEvent(key=QUEUED_KEY, body=body)])
    return new


async def test_the_request_after_the_202_has_the_run(api: Api) -> None:
    for _ in range(10):
        run = await submitted(api, input="what  is\nnew?", metadata={"team": "at once"})
        [newest] = (await listed(api, {"limit": 1}))["runs"]
        assert (newest["run_id"], newest["status"]) == (run, "queued")
    assert (newest["title"], newest["agent"]) == ("what is new?", "assistant")
    assert (newest["model"], newest["metadata"]) == ("rehearsal", {"team": "at once"})
    assert newest["links"]["self"] == f"/v1/runs/{run}"
    view = (await api.http.get(f"/v1/runs/{run}")).json()
    assert newest["created_at"] == view["created_at"]


async def test_a_run_is_listed_with_its_line_and_what_it_does_now(api: Api) -> None:
    run = await queued(api, metadata={"line": run_id()})
    label = {"metadata.line": (await listed(api, {"limit": 1}))["runs"][0]["metadata"]["line"]}
    [item] = (await listed(api, label))["runs"]
    assert item["now"] == {"kind": "queue", "what": ""}
    assert [(kind, end) for kind, _, end in item["line"]] == [("queue", None)]
    await api.journal.append(run, [started(), *asks()])
    [item] = (await listed(api, label))["runs"]
    assert item["now"] == {"kind": "wait", "what": "approve `write_file`"}
    assert (item["line"][-1][0], item["line"][-1][2]) == ("wait", None)
    await api.journal.append(run, [completed()])
    [item] = (await listed(api, label))["runs"]
    assert (item["now"] or {}).get("kind") in {None, "said"}
    assert all(end is not None and begin < end for _, begin, end in item["line"])


async def test_the_first_frame_waits_for_no_worker(api: Api) -> None:
    run = await submitted(api, input="hello", metadata={"tenant": "acme"})
    page = (await api.http.get(f"/v1/runs/{run}/events")).json()
    [event] = page["events"]
    assert (event["seq"], event["type"], event["data"]["tenant"]) == (1, "run.queued", "acme")
    assert event["data"]["title"] == "hello"


async def test_a_repeated_key_writes_nothing_twice(api: Api) -> None:
    body = {"agent": "assistant", "input": "hello"}
    headers = {"Idempotency-Key": "listed-once"}
    answers = await asyncio.gather(
        *(api.http.post("/v1/runs", json=body, headers=headers) for _ in range(8))
    )
    [run] = {answer.json()["run_id"] for answer in answers}
    page = (await api.http.get(f"/v1/runs/{run}/events")).json()
    assert [event["type"] for event in page["events"]] == ["run.queued"]


async def test_lists_are_newest_first_and_walked_by_cursor(api: Api) -> None:
    made = [await submitted(api, agent="brief", metadata={"walk": "a"}) for _ in range(7)]
    for limit in (1, 3, 7, 100):
        walked = await walk(api, {"metadata.walk": "a", "limit": limit})
        assert walked == made[::-1]


async def test_pages_lose_and_repeat_nothing_while_runs_come(api: Api) -> None:
    made = [await submitted(api, metadata={"walk": "b"}) for _ in range(6)]
    seen: list[str] = []
    page = await listed(api, {"metadata.walk": "b", "limit": 2})
    while page["cursor"]:
        seen += [item["run_id"] for item in page["runs"]]
        await submitted(api, metadata={"walk": "b"})
        page = await listed(api, {"metadata.walk": "b", "limit": 2, "cursor": page["cursor"]})
    seen += [item["run_id"] for item in page["runs"]]
    assert seen == made[::-1]


async def test_each_filter_keeps_what_it_asks_for(api: Api) -> None:
    parent, source = run_id(), run_id()
    team = {"team": "blue", "filter": "x"}
    blue = await queued(api, metadata=team, title="Write a REPORT of it", batch="b1")
    child = await queued(api, metadata={"filter": "x"}, agent="brief", parent=parent)
    fork = await queued(
        api, metadata={"filter": "x"}, model="openai:o", forked_from=source, open=True
    )
    mine: Filter = {"metadata.filter": "x"}
    for more, found in (
        ({}, [fork, child, blue]),
        ({"agent": "brief"}, [child]),
        ({"model": "openai:o"}, [fork]),
        ({"metadata.team": "blue"}, [blue]),
        ({"metadata.team": "green"}, []),
        ({"q": "rep"}, [blue]),
        ({"q": "BLUE write"}, [blue]),
        ({"q": "eport"}, []),
        ({"q": child}, [child]),
        ({"batch": "b1"}, [blue]),
        ({"parent": parent}, [child]),
        ({"forked_from": source}, [fork]),
        ({"conversation": "true"}, [fork]),
        ({"conversation": "false"}, [child, blue]),
        ({"conversation": "true", "metadata.team": "blue"}, []),
        ({"attention": "true"}, []),
        ({"attention": "false"}, [fork, child, blue]),
        ({"open": "true"}, [fork, child, blue]),
        ({"open": "false"}, []),
    ):
        assert await walk(api, mine | more) == found, more
        assert (await counted(api, mine | more))["total"] == len(found), more


async def test_lists_are_filtered_by_time(api: Api) -> None:
    days = [datetime(2020, 5, day, tzinfo=UTC) for day in (1, 2, 3)]
    first, second, third = [
        await queued(api, metadata={"filter": "t"}, submitted_at=day) for day in days
    ]
    mine: Filter = {"metadata.filter": "t"}
    after, before = {"created_after": days[1].isoformat()}, {"created_before": days[1].isoformat()}
    assert await walk(api, mine | after) == [third, second]
    assert await walk(api, mine | before) == [first]
    assert await walk(api, mine | after | {"created_before": "2020-05-02T00:00:01+00:00"}) == [
        second
    ]


async def test_lists_are_filtered_by_status(api: Api) -> None:
    mine: Filter = {"metadata.filter": "s"}
    runs = {
        name: await submitted(api, metadata={"filter": "s"})
        for name in ("queued", "running", "waiting", "completed", "failed")
    }
    failure = RunFailed(error=RunError(type="broken", message="it broke"))
    events = {
        "running": [started()],
        "waiting": [started(), *asks()],
        "completed": [started(), completed()],
        "failed": [started(), NewEvent(key="0/run/ended", body=failure)],
    }
    for name, more in events.items():
        await api.journal.append(runs[name], more)
    for name, run in runs.items():
        assert await walk(api, mine | {"status": name}) == [run]
    two = await walk(api, mine | {"status": ["running", "failed"]})
    assert two == [runs["failed"], runs["running"]]
    assert await walk(api, mine | {"open": "false"}) == [runs["failed"], runs["completed"]]
    counts = await counted(api, mine)
    assert (counts["total"], counts["by_status"]) == (5, dict.fromkeys(runs, 1))
    nothing = {"input_tokens": 0, "output_tokens": 0}
    assert await counted(api, mine | {"status": "failed"}) == {
        "total": 1,
        "by_status": {"failed": 1},
        "usage": nothing,
        "usage_by_status": {"failed": nothing},
    }
    items = {item["run_id"]: item for item in (await listed(api, mine))["runs"]}
    waits = items[runs["waiting"]]
    assert (waits["phase"], waits["waiting_for"][0]["id"]) == ("waiting", APPROVAL)
    assert items[runs["failed"]]["error"]["message"] == "it broke"
    done = items[runs["completed"]]
    assert done["usage"]["output_tokens"] == 4
    assert done["ended_at"] == done["updated_at"]


async def test_a_run_that_temporal_has_terminated_is_listed_so_once_its_fact_is_there(
    api: Api, api_temporal: Client
) -> None:
    run = await submitted(api, metadata={"filter": "u"})
    await api_temporal.get_workflow_handle(run).terminate()
    assert (await api.http.get(f"/v1/runs/{run}")).json()["status"] == "terminated"
    assert await walk(api, {"metadata.filter": "u", "status": "terminated"}) == [run]


async def test_lists_and_counts_need_no_temporal(api: Api, lonely_api: Api) -> None:
    run = await submitted(api, metadata={"filter": "v"})
    assert await walk(lonely_api, {"metadata.filter": "v"}) == [run]
    assert (await counted(lonely_api, {"metadata.filter": "v"}))["by_status"] == {"queued": 1}


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/runs/counts"])
@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"status": "asleep"}, "status"),
        ({"status": ["running", "asleep"]}, "status"),
        ({"agent": "x' OR 'a'='a"}, "agent"),
        ({"model": "a b"}, "model"),
        ({"metadata.": "x"}, "metadata."),
        ({f"metadata.{'k' * 65}": "x"}, f"metadata.{'k' * 65}"),
        ({"metadata.k": "x" * 513}, "metadata.k"),
        ({f"metadata.k{n}": "x" for n in range(17)}, "metadata.KEY"),
        ({"metadata.k": ["x", "y"]}, "metadata.k"),
        ({"q": "x" * 201}, "q"),
        ({"q": "a b c d e f g h i"}, "q"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"created_before": "2020-05-02T00:00:00"}, "created_before"),
        ({"batch": ""}, "batch"),
        ({"parent": "me"}, "parent"),
        ({"forked_from": "run_"}, "forked_from"),
        ({"attention": "perhaps"}, "attention"),
        ({"open": "2"}, "open"),
        ({"metadate.k": "x"}, "metadate.k"),
    ],
)
async def test_a_bad_filter_is_named(
    lonely_api: Api, path: str, params: Filter, field: str
) -> None:
    answer = await lonely_api.http.get(path, params=params)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert field in answer.json()["detail"]


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("params", "status", "field"),
    [
        ({"limit": "0"}, 422, "limit"),
        ({"limit": "101"}, 422, "limit"),
        ({"cursor": "???"}, 400, "cursor"),
        ({"cursor": encoded("nope")}, 400, "cursor"),
        ({"cursor": encoded(f"2026-11-23T10:57:46.933574+00:00|{run_id()}")}, 400, "cursor"),
        ({"cursor": encoded(f"-1|{run_id()}")}, 400, "cursor"),
        ({"cursor": encoded(f"{'9' * 19}|{run_id()}")}, 400, "cursor"),
        ({"cursor": encoded("1|run_a' OR ''='")}, 400, "cursor"),
    ],
)
async def test_a_bad_page_is_named(
    lonely_api: Api, params: dict[str, str], status: int, field: str
) -> None:
    answer = await lonely_api.http.get("/v1/runs", params=params)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    if status == 400:
        assert answer.json()["type"] == "urn:relayline:problem:invalid-cursor"
