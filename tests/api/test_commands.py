"""Commands: each has a receipt and exactly one outcome."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from temporalio.client import Client

from relayline.contracts.commands import MAX_TEXT_BYTES, CommandKind
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import CommandAccepted, CommandApplied, CommandRefused
from relayline.runtime.settings import Settings
from tests.api.serving import Api, completed, ended_run, run_id, serving, signals, started

SLOW = {"rehearse": [{"say": "one two three four five " * 40, "every_ms": 10}, {"say": "done"}]}
HESITANT = {"rehearse": [{"say": "one two", "every_ms": 60_000}]}
"""Says its second word when nobody listens any more, however busy the machine is."""


async def submitted(api: Api, script: dict[str, Any] | None = None) -> str:
    text = json.dumps(script) if script else "hello"
    answer = await api.http.post("/v1/runs", json={"agent": "assistant", "input": text})
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["run_id"]
    return found


async def sent(api: Api, run: str, kind: str, **options: Any) -> str:
    answer = await api.http.post(f"/v1/runs/{run}/{kind}", **options)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["command_id"]
    return found


async def outcome(api: Api, run: str, command: str, wait: float = 10) -> dict[str, Any]:
    answer = await api.http.get(f"/v1/runs/{run}/commands/{command}", params={"wait": wait})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.usefixtures("working")
async def test_pause_resume_and_cancel_reach_the_run(api: Api) -> None:
    two_steps = {
        "rehearse": [
            {"say": "a b c d e f g h", "every_ms": 60},
            {"call": "calculate", "arguments": {"expression": "6*7"}},
            {"say": "done"},
        ]
    }
    run = await submitted(api, two_steps)
    paused = await outcome(api, run, await sent(api, run, "pause", json={"by": "me"}))
    assert (paused["state"], paused["kind"]) == ("applied", "pause")
    assert paused["step"] is not None
    progress = (await api.http.get(f"/v1/runs/{run}/progress")).json()
    assert (progress["status"], progress["source"]) == ("paused", "query")
    assert (await api.http.get(f"/v1/runs/{run}")).json()["status"] == "paused"
    again = await outcome(api, run, await sent(api, run, "pause"))
    assert again["state"] == "refused"
    assert again["reason"]
    resumed = await outcome(api, run, await sent(api, run, "resume"))
    assert resumed["state"] == "applied"
    view = (await api.http.get(f"/v1/runs/{run}", params={"wait": 10})).json()
    assert view["status"] == "completed"


@pytest.mark.usefixtures("working")
async def test_a_cancelled_run_ends_as_cancelled_and_refuses_more(api: Api) -> None:
    run = await submitted(api, SLOW)
    await asyncio.sleep(0.3)
    body = {"reason": "enough", "by": "me"}
    cancelled = await outcome(api, run, await sent(api, run, "cancel", json=body))
    assert cancelled["state"] == "applied"
    view = (await api.http.get(f"/v1/runs/{run}", params={"wait": 10})).json()
    assert view["status"] == "cancelled"
    refused = await api.http.post(f"/v1/runs/{run}/pause")
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["type"] == "urn:relayline:problem:run-ended"
    assert problem["status"] == 409


@pytest.mark.usefixtures("working")
async def test_a_redirect_reaches_the_run_and_its_answer_shows_it(api: Api) -> None:
    run = await submitted(api, SLOW)
    await asyncio.sleep(0.3)
    command = await sent(api, run, "redirect", json={"message": "look at b.txt", "by": "me"})
    view = await outcome(api, run, command)
    assert (view["state"], view["kind"]) == ("applied", "redirect")
    view = (await api.http.get(f"/v1/runs/{run}", params={"wait": 10})).json()
    assert (view["status"], view["output"]) == ("completed", "Understood: look at b.txt")


async def test_a_command_is_known_before_any_worker_has_seen_it(api: Api) -> None:
    run = await submitted(api)
    command = await sent(api, run, "pause")
    assert (await outcome(api, run, command, wait=0))["state"] == "accepted"
    begun = time.monotonic()
    assert (await outcome(api, run, command, wait=0.3))["state"] == "accepted"
    assert 0.3 <= time.monotonic() - begun < 5


async def test_waiting_for_an_outcome_ends_with_it(api: Api) -> None:
    run = await submitted(api)
    command = await sent(api, run, "resume")
    waiting = asyncio.create_task(outcome(api, run, command))
    await asyncio.sleep(0.2)
    kind = CommandKind.RESUME
    accepted = CommandAccepted(command_id=command, kind=kind)
    refused = CommandRefused(command_id=command, kind=kind, reason="not paused")
    await api.journal.append(
        run, [started(), NewEvent(key=f"command/{command}/accepted", body=accepted)]
    )
    await asyncio.sleep(0.1)
    assert not waiting.done()
    begun = time.monotonic()
    await api.journal.append(
        run, [NewEvent(key=f"command/{command}/outcome", step=2, body=refused)]
    )
    view = await waiting
    assert time.monotonic() - begun < 3
    assert (view["state"], view["reason"], view["step"]) == ("refused", "not paused", 2)


async def test_a_command_without_outcome_is_refused_when_the_run_has_ended(
    api: Api, api_temporal: Client
) -> None:
    by_fact, by_temporal = await submitted(api), await submitted(api)
    for run in (by_fact, by_temporal):
        command = await sent(api, run, "pause")
        if run == by_fact:
            await api.journal.append(run, [started(), completed()])
        else:
            await api_temporal.get_workflow_handle(run).terminate()
        view = await outcome(api, run, command, wait=0.2)
        assert (view["state"], view["reason"]) == ("refused", "run-ended")


async def test_an_outcome_stays_readable_after_the_end_and_with_temporal_down(
    lonely_api: Api,
) -> None:
    run = run_id()
    applied = CommandApplied(command_id="c1", kind=CommandKind.PAUSE, applied="stopped")
    await lonely_api.journal.append(
        run, [started(), NewEvent(key="command/c1/outcome", step=1, body=applied), completed()]
    )
    view = await outcome(lonely_api, run, "c1", wait=0)
    assert (view["state"], view["applied"], view["step"]) == ("applied", "stopped", 1)


@pytest.mark.parametrize(
    ("kind", "body", "unsaid"),
    [
        ("pause", {"now": True, "by": "ann"}, {}),
        ("pause", {}, {"by": "", "now": False}),
        ("resume", {"by": "ann"}, {}),
        ("redirect", {"message": "look at b.txt", "by": "ann"}, {"now": True}),
        ("redirect", {"message": "ü" * (MAX_TEXT_BYTES // 2), "now": False}, {"by": ""}),
        ("cancel", {"reason": "enough"}, {"by": ""}),
    ],
)
async def test_a_command_is_a_signal_with_what_was_asked_for(
    api: Api, api_temporal: Client, kind: str, body: dict[str, Any], unsaid: dict[str, Any]
) -> None:
    run = await submitted(api)
    command = await sent(api, run, kind, json=body)
    assert command.startswith("cmd_")
    wanted = {**body, **unsaid, "command_id": command}
    assert await signals(api_temporal, run) == [(kind, wanted)]
    view = await outcome(api, run, command, wait=0)
    assert (view["state"], view["kind"]) == ("accepted", kind)


TOO_LONG = "é" * (MAX_TEXT_BYTES // 2) + "x"


@pytest.mark.parametrize(
    ("kind", "body", "field", "limit"),
    [
        ("redirect", None, "body", None),
        ("redirect", {}, "message", None),
        ("redirect", {"message": " \n"}, "message", None),
        ("redirect", {"message": TOO_LONG}, "message", MAX_TEXT_BYTES),
        ("redirect", {"message": "x", "now": "yes"}, "now", None),
        ("cancel", {"reason": TOO_LONG}, "reason", MAX_TEXT_BYTES),
        ("pause", {"now": 1}, "now", None),
        ("pause", {"by": "x" * 201}, "by", None),
        ("resume", {"now": True}, "now", None),
        ("resume", {"command_id": ""}, "command_id", None),
        ("resume", {"command_id": "x" * 129}, "command_id", None),
        ("resume", {"command_id": "a/b"}, "command_id", None),
        ("resume", {"command_id": "a\n"}, "command_id", None),
        ("answer", {"request_id": "input_1_0"}, "text", None),
        ("answer", {"request_id": "", "text": "x"}, "request_id", None),
        ("answer", {"request_id": "input_1_0", "text": TOO_LONG}, "text", MAX_TEXT_BYTES),
        ("approvals/a", {}, "decision", None),
        ("approvals/a", {"decision": "maybe"}, "decision", None),
        ("approvals/a", {"decision": "deny", "arguments": {"a": 1}}, "arguments", None),
        ("approvals/a", {"decision": "approve", "arguments": []}, "arguments", None),
        ("approvals/a", {"decision": "deny", "note": TOO_LONG}, "note", MAX_TEXT_BYTES),
        (
            "approvals/a",
            {"decision": "approve", "arguments": {"a": TOO_LONG}},
            "arguments",
            MAX_TEXT_BYTES,
        ),
    ],
)
async def test_a_bad_command_names_the_field_and_its_limit(
    api: Api, kind: str, body: dict[str, Any] | None, field: str, limit: int | None
) -> None:
    answer = await api.http.post(f"/v1/runs/{run_id()}/{kind}", json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["type"] == "urn:relayline:problem:invalid-field"
    assert (problem["field"], problem.get("limit")) == (field, limit)
    assert field in problem["detail"]


@pytest.mark.parametrize("kind", ["pause", "resume", "redirect", "cancel"])
async def test_commands_for_unknown_or_ended_runs_are_refused(api: Api, kind: str) -> None:
    body = {"message": "x"} if kind == "redirect" else None
    assert (await api.http.post(f"/v1/runs/{run_id()}/{kind}", json=body)).status_code == 404
    ended = await ended_run(api.journal)
    answer = await api.http.post(f"/v1/runs/{ended}/{kind}", json=body)
    assert answer.status_code == 409
    assert "completed" in answer.json()["detail"]
    assert answer.json()["run_status"] == "completed"


async def test_a_run_that_temporal_ended_refuses_commands(api: Api, api_temporal: Client) -> None:
    run = await submitted(api)
    await api_temporal.get_workflow_handle(run).terminate()
    answer = await api.http.post(f"/v1/runs/{run}/cancel")
    assert answer.status_code == 409
    assert answer.json()["run_status"] == "terminated"


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b'{"reason": 5}', 422), (b'{"reasons": "x"}', 422), (b"{}", 202)],
)
async def test_a_command_body_may_be_empty_but_not_wrong(
    api: Api, content: bytes, status: int
) -> None:
    run = await submitted(api)
    headers = {"Content-Type": "application/json"}
    answer = await api.http.post(f"/v1/runs/{run}/cancel", content=content, headers=headers)
    assert answer.status_code == status, answer.text


async def test_unknown_commands_are_404(api: Api, lonely_api: Api) -> None:
    run = await submitted(api)
    ended = await ended_run(api.journal)
    for path in (f"{run}/commands/none", f"{ended}/commands/none", f"{run_id()}/commands/none"):
        answer = await api.http.get(f"/v1/runs/{path}", params={"wait": 0.1})
        assert answer.status_code == 404, answer.text
    answer = await lonely_api.http.post(f"/v1/runs/{run}/pause")
    assert answer.status_code == 503


@pytest.mark.usefixtures("working")
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_key_or_an_id_that_comes_again_with_another_body_is_refused(
    api: Api, api_temporal: Client, *, restarted: bool
) -> None:
    """The second redirect would else be taken for the first, and never be heard."""
    run = await submitted(api, HESITANT)
    path, key = f"/v1/runs/{run}/redirect", {"Idempotency-Key": "q1"}
    one = json.dumps(HESITANT)
    said = [{"message": one}, {"message": one, "command_id": "c1"}]
    first = await sent(api, run, "redirect", json=said[0], headers=key)
    for command in (first, await sent(api, run, "redirect", json=said[1])):
        assert (await outcome(api, run, command))["state"] == "applied"
    async with serving(Settings(), api.journal, api_temporal) as fresh:
        http = fresh.http if restarted else api.http
        for headers, again, slug in (
            (key, said[0], "idempotency-key-reused"),
            ({}, said[1], "command-id-reused"),
        ):
            assert (await http.post(path, json=again, headers=headers)).status_code == 202
            other = await http.post(path, json={**again, "message": "two"}, headers=headers)
            assert (other.status_code, other.json()["type"].rsplit(":", 1)[1]) == (422, slug)
    await sent(api, run, "cancel")
