"""Receivers are told of what happens to runs: signed, in order, again until they take it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from relayline.contracts.runs import RunStatus
from relayline.journal.terminal import end_run
from relayline.projections.terminal import Closing
from tests.api.serving import Api, eventually, run_id, started
from tests.webhooks.receiving import Got, Receiver, Writer, answers, receiving

SAY = json.dumps({"rehearse": [{"say": "hello"}]})
CALL = json.dumps({"rehearse": [{"call": "calculate"}, {"say": "done"}]})


async def registered(api: Api, receiver: Receiver, **fields: Any) -> dict[str, Any]:
    answer = await api.http.post("/v1/webhooks", json={"url": receiver.url, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def removed(api: Api, webhook_id: str) -> None:
    assert (await api.http.delete(f"/v1/webhooks/{webhook_id}")).status_code == 204


async def submitted(api: Api, text: str = SAY, **fields: Any) -> str:
    body = {"agent": "assistant", "input": text, **fields}
    answer = await api.http.post("/v1/runs", json=body)
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["run_id"]
    return run


async def deliveries(api: Api, webhook_id: str, **params: str) -> list[dict[str, Any]]:
    path = f"/v1/webhooks/{webhook_id}/deliveries"
    found: list[dict[str, Any]] = (await api.http.get(path, params=params)).json()["deliveries"]
    return found


async def settled(api: Api, webhook_id: str, count: int, state: str) -> list[dict[str, Any]]:
    """Wait for that many deliveries in that state, newest first."""
    async with asyncio.timeout(60):
        while len(found := await deliveries(api, webhook_id, state=state)) < count:
            await asyncio.sleep(0.05)
    return found


def of(run: str, got: list[Got]) -> list[Got]:
    return [each for each in got if each.told["data"].get("run_id") == run]


async def test_a_receiver_is_told_of_beginning_and_end_signed_and_in_order(api: Api) -> None:
    async with receiving() as receiver:
        made = await registered(api, receiver)
        run = await submitted(api, metadata={"k": "v"})
        first, last = (await receiver.has(2))[:2]
    for each in (first, last):
        told = each.verify(made["secret"])
        assert each.headers["webhook-id"] == f"{run}.{told['data']['seq']}"
        assert told["data"]["agent"] == "assistant"
        assert told["data"]["metadata"] == {"k": "v"}
    assert (first.told["type"], first.told["data"]["status"]) == ("run.queued", "queued")
    assert (last.told["type"], last.told["data"]["status"]) == ("run.completed", "completed")
    assert last.told["data"]["output"] == "hello"
    log = await settled(api, made["webhook_id"], 2, "delivered")
    assert [it["type"] for it in log] == ["run.completed", "run.queued"]
    assert [it["tries"][0]["status"] for it in log] == [200, 200]
    await removed(api, made["webhook_id"])


async def test_what_fails_is_tried_again_under_the_same_id_and_holds_later_ones_back(
    api: Api,
) -> None:
    async with receiving(answers("500 Oh")) as receiver:
        made = await registered(api, receiver)
        run = await submitted(api)
        await receiver.has(3)
        assert {each.id for each in receiver.got} == {f"{run}.1"}
        receiver.answer = answers()
        await receiver.until(lambda got: got[-1].told["type"] == "run.completed")
    assert len({each.body for each in receiver.got if each.id == f"{run}.1"}) == 1
    [_last, first] = await settled(api, made["webhook_id"], 2, "delivered")
    assert [it["status"] for it in first["tries"]][:3] == [500, 500, 500]
    assert first["tries"][0]["error"] == "it answered 500"
    assert first["tries"][-1]["status"] == 200
    await removed(api, made["webhook_id"])


async def test_a_run_may_name_a_receiver_by_its_url_which_the_default_secret_signs(
    api: Api,
) -> None:
    async with receiving() as receiver:
        rotated = await api.http.post("/v1/webhooks/default/rotate")
        webhook = {"url": receiver.url, "events": ["run.completed"]}
        run = await submitted(api, webhook=webhook)
        other = await submitted(api)
        [got] = await receiver.has(1)
        assert got.verify(rotated.json()["secret"])["data"]["run_id"] == run
        events = (await api.http.get(f"/v1/runs/{run}/events")).json()["events"]
        assert receiver.url not in json.dumps(events)
        found = await deliveries(api, events[0]["data"]["webhook"])
        assert [it["run_id"] for it in found] == [run]
        assert (await api.http.get(f"/v1/runs/{other}", params={"wait": 30})).json()["ended_at"]
        assert len(receiver.got) == 1


async def test_a_run_may_name_a_registered_receiver(api: Api) -> None:
    async with receiving() as receiver:
        made = await registered(api, receiver, agents=["nobody"], events=["run.completed"])
        run = await submitted(api, webhook={"id": made["webhook_id"]})
        [got] = await receiver.has(1)
        assert got.id.startswith(run)
    await removed(api, made["webhook_id"])


async def test_a_receiver_is_told_what_a_run_waits_for(api: Api) -> None:
    async with receiving() as receiver:
        made = await registered(api, receiver, events=["run.waiting"])
        run = await submitted(api, CALL, limits={"max_steps": 1, "on_limit": "ask"})
        await receiver.has(1)
        assert receiver.got[0].told["data"]["status"] == "waiting"
        assert receiver.got[0].told["data"]["waiting_for"]
        await api.http.post(f"/v1/runs/{run}/cancel")
    await removed(api, made["webhook_id"])


async def test_an_end_written_by_housekeeping_is_delivered(api: Api) -> None:
    """As housekeeping writes it: by anybody, straight into the journal."""
    async with receiving() as receiver:
        made = await registered(api, receiver)
        run = run_id()
        await api.journal.append(run, [started()])
        await end_run(api.journal, run, Closing(RunStatus.TERMINATED, "by hand"))
        [got] = of(run, await receiver.until(lambda got: bool(of(run, got))))
        assert (got.told["type"], got.told["data"]["status"]) == ("run.terminated", "terminated")
    await removed(api, made["webhook_id"])


@pytest.mark.slow
async def test_410_disables_and_enabling_tells_what_has_waited(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiving(answers("410 Gone")) as receiver:
        made = await registered(api, receiver)
        webhook = f"/v1/webhooks/{made['webhook_id']}"
        await submitted(api)
        await settled(api, made["webhook_id"], 2, "disabled")
        view = (await api.http.get(webhook)).json()
        assert view["disabled_at"]
        assert "410" in view["disabled_reason"]
        logged = [it for it in caplog.records if "is disabled" in it.message]
        assert [vars(it)["webhook_id"] for it in logged] == [made["webhook_id"]]
        assert len(receiver.got) == 1
        [later, *_] = await deliveries(api, made["webhook_id"])
        refused = await api.http.post(f"/v1/deliveries/{later['delivery_id']}/redeliver")
        assert (refused.status_code, refused.json()["type"]) == (
            409,
            "urn:relayline:problem:webhook-disabled",
        )
        receiver.answer = answers()
        assert (await api.http.post(f"{webhook}/enable")).json()["disabled_at"] is None
        await receiver.has(3)
    assert [each.told["type"] for each in receiver.got[1:]] == ["run.queued", "run.completed"]
    await removed(api, made["webhook_id"])


def age(file: Path, webhook_id: str) -> None:
    """Let the receiver have failed for long, and the time for its deliveries be over."""
    with closing(sqlite3.connect(file, timeout=20)) as db, db:
        db.execute("UPDATE webhooks SET failing_us = 1 WHERE webhook_id = ?", (webhook_id,))
        aged = "UPDATE deliveries SET until_us = 1 WHERE webhook_id = ? AND until_us IS NOT NULL"
        db.execute(aged, (webhook_id,))


async def test_a_receiver_that_always_fails_is_given_up_and_disabled(
    api: Api, told_file: Path
) -> None:
    async with receiving(answers("500 Oh")) as receiver:
        made = await registered(api, receiver, events=["run.queued"])
        await submitted(api)
        await receiver.has(1)
        async with asyncio.timeout(60):
            while not await deliveries(api, made["webhook_id"], state="failed"):
                await asyncio.to_thread(age, told_file, made["webhook_id"])
                await asyncio.sleep(0.1)
        [failed] = await settled(api, made["webhook_id"], 1, "failed")
        assert failed["next_at"] is None
        view = (await api.http.get(f"/v1/webhooks/{made['webhook_id']}")).json()
        assert "no try has succeeded" in view["disabled_reason"]
    await removed(api, made["webhook_id"])


@pytest.mark.slow
async def test_a_delivery_can_be_asked_for_again(api: Api) -> None:
    async with receiving() as receiver:
        made = await registered(api, receiver, events=["run.queued"])
        await submitted(api)
        [done] = await settled(api, made["webhook_id"], 1, "delivered")
        answer = await api.http.post(f"/v1/deliveries/{done['delivery_id']}/redeliver")
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        first, again = await receiver.has(2)
        assert (first.id, first.body) == (again.id, again.body)
    await removed(api, made["webhook_id"])


async def test_after_a_rotation_both_secrets_verify(api: Api) -> None:
    async with receiving() as receiver:
        made = await registered(api, receiver)
        rotated = await api.http.post(f"/v1/webhooks/{made['webhook_id']}/rotate")
        assert rotated.json()["old_secret_until"]
        await submitted(api)
        [got, *_] = await receiver.has(1)
        for secret in (made["secret"], rotated.json()["secret"]):
            got.verify(secret)
    await removed(api, made["webhook_id"])


async def test_a_test_tells_what_the_receiver_answered(api: Api) -> None:
    async with receiving(answers("418 Teapot")) as receiver:
        made = await registered(api, receiver)
        path = f"/v1/webhooks/{made['webhook_id']}/test"
        told = (await api.http.post(path)).json()
        assert (told["delivered"], told["status"]) == (False, 418)
        receiver.answer = answers()
        assert (await api.http.post(path)).json()["delivered"]
        assert receiver.got[1].verify(made["secret"])["type"] == "webhook.test"
    answer = (await api.http.post(path)).json()
    assert (answer["status"], answer["error"]) == (None, "no connection")
    await removed(api, made["webhook_id"])


@pytest.mark.slow
async def test_retry_after_is_waited_for(api: Api) -> None:
    async with receiving(answers("429 Slow", "Retry-After: 2")) as receiver:
        made = await registered(api, receiver, events=["run.queued"])
        await submitted(api)
        await receiver.has(1)
        receiver.answer = answers()
        first, second = await receiver.has(2)
        assert second.at - first.at > 1.8
    await removed(api, made["webhook_id"])


async def test_a_slow_receiver_holds_up_no_other(api: Api) -> None:
    release = asyncio.Event()

    async def hang(_got: Got, _writer: Writer) -> None:
        await release.wait()

    async with receiving(hang) as slow, receiving() as quick:
        both = [await registered(api, it) for it in (slow, quick)]
        await submitted(api)
        await slow.has(1)
        await submitted(api)
        await quick.has(4)
        assert all(each.told["type"] == "run.queued" for each in slow.got)
        release.set()
        for it in both:
            await removed(api, it["webhook_id"])


async def test_neither_url_nor_secret_stands_in_a_history(api: Api, told_temporal: Any) -> None:
    async with receiving() as receiver:
        made = await registered(api, receiver)
        run = await submitted(api, webhook={"url": receiver.url})
        await receiver.has(2)
        await eventually(lambda: len(of(run, receiver.got)) >= 4)
        names = [f"webhook-{made['webhook_id']}", run]
        for name in names:
            history = await told_temporal.get_workflow_handle(name).fetch_history()
            text = history.to_json()
            assert receiver.url not in text
            assert made["secret"][6:] not in text
    await removed(api, made["webhook_id"])


@pytest.mark.parametrize("path", ["/v1/webhooks/wh_x", "/v1/webhooks/wh_x/deliveries"])
async def test_an_unknown_webhook_is_not_found(api: Api, path: str) -> None:
    answer = await api.http.get(path)
    assert (answer.status_code, answer.json()["type"]) == (
        404,
        "urn:relayline:problem:unknown-webhook",
    )
