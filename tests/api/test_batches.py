"""Batches: each run stands by itself, the whole can be repeated, and all accepted ones start."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client

from relayline.api.temporal.submissions import BatchGateway
from relayline.contracts.submissions.batches import MAX_BATCH_BYTES
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.serving import Api, envelopes

GOOD = {"agent": "assistant", "input": "hello"}
SHORT = {"agent": "assistant", "input": json.dumps({"rehearse": [{"say": "done"}]})}
LONG = {"agent": "assistant", "input": json.dumps({"rehearse": [{"tokens": 9999, "every_ms": 50}]})}


async def submit(api: Api, *runs: Any, key: str | None = None, **fields: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.http.post("/v1/batches", json={"runs": runs, **fields}, headers=headers)


async def view(api: Api, batch: str) -> dict[str, Any]:
    answer = await api.http.get(f"/v1/batches/{batch}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ended(api: Api, batch: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while not (found := await view(api, batch))["ended"]:
            await asyncio.sleep(0.05)
    return found


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "runs"),
        ({"runs": []}, "runs"),
        ({"runs": {}}, "runs"),
        ({"runs": [GOOD] * 1001}, "runs"),
        ({"runs": [GOOD], "priority": 0}, "priority"),
        ({"runs": [GOOD], "priority": "1"}, "priority"),
        ({"runs": [GOOD], "metadata": {"k": 1}}, "metadata.k"),
        ({"runs": [GOOD], "metadata": {"k": "\ud83d"}}, "metadata.k"),
        ({"runs": [GOOD], "surprise": 1}, "surprise"),
        ([], "body"),
    ],
)
async def test_a_bad_batch_names_what_is_wrong(lonely_api: Api, body: Any, field: str) -> None:
    answer = await lonely_api.http.post(
        "/v1/batches", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


async def test_a_bad_run_is_named_and_stops_no_other(
    lonely_api: Api, journal: SqliteJournal
) -> None:
    bad = [
        {"agent": "nobody", "input": "x"},
        {"agent": "assistant"},
        {**GOOD, "metadata": {"tenant": "a\n"}},
        {**GOOD, "input": "é" * 131_073},
        {**GOOD, "input": "half \ud83d"},
        {**GOOD, "priority": 6},
        7,
    ]
    body = json.dumps({"runs": [GOOD, *bad, GOOD]})
    answer = await lonely_api.http.post(
        "/v1/batches", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert [it["index"] for it in receipt["accepted"]] == [0, 8]
    named = [
        (it["index"], it["problem"]["status"], it["problem"].get("field"))
        for it in receipt["rejected"]
    ]
    assert named == [
        (1, 422, "agent"),
        (2, 422, "input"),
        (3, 422, "metadata.tenant"),
        (4, 413, "input"),
        (5, 422, "input"),
        (6, 422, "priority"),
        (7, 422, "body"),
    ]
    alone = await lonely_api.http.post("/v1/runs", json=bad[0])
    assert receipt["rejected"][0]["problem"] == alone.json(), "as if it had been submitted alone"
    found = await view(lonely_api, receipt["batch_id"])
    assert (found["accepted"], found["total"], found["ended"]) == (2, 2, False)
    assert found["rejected"] == receipt["rejected"]
    first = (await envelopes(journal, receipt["accepted"][0]["run_id"]))[0]
    assert (first["type"], first["data"]["batch"]) == ("run.queued", receipt["batch_id"])
    listed = (await lonely_api.http.get(found["links"]["runs"])).json()["runs"]
    assert {it["run_id"] for it in listed} == {it["run_id"] for it in receipt["accepted"]}


async def test_batches_are_listed_with_their_counts(lonely_api: Api) -> None:
    mixed = await submit(lonely_api, GOOD, {"agent": "nobody", "input": "x"})
    older = mixed.json()["batch_id"]
    newer = (await submit(lonely_api, GOOD, GOOD)).json()["batch_id"]
    found, cursor = list[dict[str, Any]](), ""
    for _ in range(2):
        asked = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = (await lonely_api.http.get("/v1/batches", params=asked)).json()
        found, cursor = [*found, *page["batches"]], page["cursor"]
    assert [it["batch_id"] for it in found] == [newer, older]
    assert [(it["accepted"], it["rejected"]) for it in found] == [(2, 0), (1, 1)]
    for it in found:
        whole = await view(lonely_api, it["batch_id"])
        assert it == whole | {"rejected": it["rejected"]}
    bad = await lonely_api.http.get("/v1/batches", params={"cursor": "x"})
    assert (bad.status_code, bad.json()["field"]) == (400, "cursor")


async def test_a_batch_whose_runs_are_all_bad_has_ended(lonely_api: Api) -> None:
    answer = await submit(lonely_api, {"agent": "nobody", "input": "x"})
    assert (answer.status_code, answer.json()["accepted"]) == (202, [])
    assert (await view(lonely_api, answer.json()["batch_id"]))["ended"]


async def test_a_run_is_rejected_if_its_receiver_of_webhooks_can_not_be(
    lonely_api: Api, journal: SqliteJournal
) -> None:
    private, unknown, good = (
        {**GOOD, "webhook": webhook}
        for webhook in (
            {"url": "https://10.0.0.1/"},
            {"id": "wh_unknown"},
            {"url": "https://93.184.215.14/told"},
        )
    )
    answer = await submit(lonely_api, private, good, unknown, good, GOOD)
    receipt = answer.json()
    assert [it["index"] for it in receipt["accepted"]] == [1, 3, 4], answer.text
    problems = [(it["index"], it["problem"]["field"]) for it in receipt["rejected"]]
    assert problems == [(0, "webhook.url"), (2, "webhook.id")]
    told = [(await envelopes(journal, it["run_id"]))[0]["data"] for it in receipt["accepted"]]
    first, second, none = (it.get("webhook") for it in told)
    assert first == second is not None
    assert none is None
    assert await journal.webhooks.receiver("default", first)


async def test_the_same_key_gives_the_same_batch_and_another_body_is_refused(
    lonely_api: Api,
) -> None:
    key = uuid4().hex
    first = await submit(lonely_api, GOOD, {"agent": "nobody", "input": "x"}, key=key)
    again = await submit(lonely_api, GOOD, {"agent": "nobody", "input": "x"}, key=key)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json() == again.json()
    other = await submit(lonely_api, GOOD, key=key)
    assert (other.status_code, other.json()["type"]) == (
        422,
        "urn:relayline:problem:idempotency-key-reused",
    )
    assert (await view(lonely_api, first.json()["batch_id"]))["total"] == 1


async def test_requests_with_one_key_at_the_same_time_store_one_batch(lonely_api: Api) -> None:
    key = uuid4().hex
    answers = await asyncio.gather(*(submit(lonely_api, GOOD, GOOD, key=key) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [202]
    assert len({answer.text for answer in answers}) == 1


async def test_what_all_runs_share_gives_way_to_a_runs_own(
    lonely_api: Api, journal: SqliteJournal
) -> None:
    own = {**GOOD, "priority": 1, "metadata": {"team": "red", "mine": "1"}}
    receipt = (await submit(lonely_api, GOOD, own, priority=5, metadata={"team": "blue"})).json()
    told = [(await envelopes(journal, it["run_id"]))[0]["data"] for it in receipt["accepted"]]
    assert [(it["priority"], it["metadata"]) for it in told] == [
        (5, {"team": "blue"}),
        (1, {"team": "red", "mine": "1"}),
    ]


async def test_a_batch_may_be_larger_than_any_other_body(lonely_api: Api) -> None:
    large = {**GOOD, "input": "x" * 200_000}
    assert (await submit(lonely_api, *[large] * 10)).status_code == 202
    answer = await submit(lonely_api, *[large] * (MAX_BATCH_BYTES // 200_000 + 1))
    problem = answer.json()
    assert (answer.status_code, problem["field"], problem["limit"]) == (
        413,
        "body",
        MAX_BATCH_BYTES,
    )
    alone = await lonely_api.http.post("/v1/runs", json={**GOOD, "input": "x" * 2_000_000})
    assert alone.status_code == 413


async def test_an_unknown_batch_is_not_found(lonely_api: Api) -> None:
    for answer in (
        await lonely_api.http.get("/v1/batches/batch_0"),
        await lonely_api.http.post("/v1/batches/batch_0/cancel"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (
            404,
            "urn:relayline:problem:unknown-batch",
        )


@pytest.mark.usefixtures("working")
async def test_every_run_of_a_batch_runs(api: Api, journal: SqliteJournal) -> None:
    receipt = (await submit(api, *[SHORT] * 12)).json()
    found = await ended(api, receipt["batch_id"])
    assert (found["total"], found["by_status"]) == (12, {"completed": 12})
    assert not await journal.pending_starts(EVERY, receipt["batch_id"], 1)


@pytest.mark.usefixtures("working")
async def test_a_cancelled_batch_ends_whether_its_runs_have_started_or_not(
    lonely_api: Api, api: Api, journal: SqliteJournal
) -> None:
    begun = (await submit(api, *[LONG] * 4)).json()
    async with asyncio.timeout(60):
        while (await view(api, begun["batch_id"]))["by_status"].get("running") != 4:
            await asyncio.sleep(0.05)
    more = 12
    waiting = (await submit(lonely_api, *[LONG] * more)).json()
    for receipt, runs in ((begun, 4), (waiting, more)):
        stop = {"command_id": "stop", "reason": "enough"}
        path = f"/v1/batches/{receipt['batch_id']}/cancel"
        answers = [await api.http.post(path, json=stop) for _ in range(2)]
        assert [(it.status_code, it.json()) for it in answers] == [
            (202, {"command_id": "stop"})
        ] * 2
        assert (await ended(api, receipt["batch_id"]))["by_status"] == {"cancelled": runs}
        events = await envelopes(journal, receipt["accepted"][-1]["run_id"])
        applied = [it["data"] for it in events if it["type"] == "command.applied"]
        assert [(it["command_id"], it["kind"]) for it in applied] == [("stop", "cancel")]
        assert events[-1]["data"]["reason"] == "enough"
        assert (await api.http.post(path)).status_code == 202, "nothing is left to cancel"
    kinds = {event["type"] for event in events}
    assert "step.started" not in kinds, "a run that had not started does nothing first"


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_a_batch_that_is_cancelled_while_it_starts_ends_whole(api: Api) -> None:
    receipt = (await submit(api, *[LONG] * 30)).json()
    answer = await api.http.post(receipt["links"]["cancel"])
    assert answer.status_code == 202, answer.text
    assert (await ended(api, receipt["batch_id"]))["by_status"] == {"cancelled": 30}


async def test_a_batch_is_accepted_without_temporal_and_starts_once_it_is_back(
    lonely_api: Api, api: Api, api_temporal: Client, journal: SqliteJournal, working: None
) -> None:
    answer = await submit(lonely_api, SHORT, SHORT)
    assert answer.status_code == 202, answer.text
    batch = answer.json()["batch_id"]
    assert (await view(lonely_api, batch))["by_status"] == {"queued": 2}
    await BatchGateway(api_temporal).start(batch)  # as housekeeping does
    assert (await ended(api, batch))["by_status"] == {"completed": 2}


async def test_a_run_that_has_not_had_its_turn_takes_a_command(
    lonely_api: Api, api: Api, working: None
) -> None:
    batch = (await submit(lonely_api, LONG)).json()
    run = batch["accepted"][0]["run_id"]
    answer = await api.http.post(f"/v1/runs/{run}/cancel", json={"reason": "enough"})
    assert answer.status_code == 202, answer.text
    assert (await ended(api, batch["batch_id"]))["by_status"] == {"cancelled": 1}


async def test_a_batch_of_the_most_runs_is_accepted_at_once(
    lonely_api: Api, journal: SqliteJournal
) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    answer = await lonely_api.http.post("/v1/batches", json={"runs": [GOOD] * 1000}, timeout=60)
    took_s = clock() - began
    batch = answer.json()["batch_id"]
    assert len(answer.json()["accepted"]) == 1000
    assert (await view(lonely_api, batch))["by_status"] == {"queued": 1000}
    assert len(await journal.pending_starts(EVERY, batch, 2000)) == 1000
    assert await journal.find_batch(EVERY, batch)
    assert took_s < 30, "3 s on two quiet cores"
