"""Conversations as the API takes them; no worker is there."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client

from relayline.api.bodies import RunRequest
from relayline.api.runs.validation import RequestLimits, RunValidator
from relayline.contracts.runs import AgentSpec
from tests.api.serving import CATALOG, SSE, Api, run_id, signals

TALK = {"agent": "assistant", "input": "hello", "open": True}


async def opened(api: Api, **fields: Any) -> str:
    """The path of a conversation."""
    answer = await api.http.post("/v1/runs", json={**TALK, **fields})
    assert answer.status_code == 202, answer.text
    return f"/v1/runs/{answer.json()['run_id']}"


async def test_a_message_is_accepted_although_no_worker_is_there(api: Api) -> None:
    run = await opened(api)
    sent = await api.http.post(f"{run}/messages", json={"content": "more", "command_id": "m1"})
    again = await api.http.post(f"{run}/messages", json={"content": "more", "command_id": "m1"})
    assert (sent.status_code, again.status_code) == (202, 202)
    assert sent.json() == again.json() == {"command_id": "m1"}
    other = await api.http.post(f"{run}/messages", json={"content": "else", "command_id": "m1"})
    assert (other.status_code, other.json()["field"]) == (422, "command_id")
    view = (await api.http.get(run, params={"command": "m1"})).json()
    assert (view["turn"], view["last_turn"], view["command"]["state"]) == (1, None, "accepted")
    assert (await api.http.post(f"{run}/close")).status_code == 202


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("content", {}),
        ("content", {"content": "x" * (32 * 1024 + 1)}),
        ("if_busy", {"content": "x", "if_busy": "wait"}),
        ("nothing", {"content": "x", "nothing": 1}),
        ("agent", {"content": "x", "agent": "brief"}),
        ("agent", {"content": "x", "agent": "catalog", "if_busy": "redirect"}),
        ("spec", {"content": "x", "agent": "catalog", "spec": {"name": "a", "model": "local"}}),
    ],
    ids=["missing", "too long", "if_busy", "unknown", "agent", "redirect", "spec"],
)
async def test_a_malformed_message_is_refused_with_its_field(
    api: Api, field: str, body: dict[str, Any]
) -> None:
    answer = await api.http.post(f"{await opened(api)}/messages", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_message_may_have_the_agent_of_today_and_is_the_same_with_that_of_tomorrow(
    api: Api, api_temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await opened(api, limits={"max_steps": 2})
    body = {"content": "more", "command_id": "m1", "agent": "catalog"}
    assert (await api.http.post(f"{run}/messages", json=body)).status_code == 202
    [(_, sent)] = await signals(api_temporal, run.rpartition("/")[2])
    assert AgentSpec.model_validate(sent["spec"]) == CATALOG.agents["assistant"]
    tomorrow = CATALOG.agents["assistant"].model_copy(update={"instructions": "new"})
    monkeypatch.setitem(CATALOG.agents, "assistant", tomorrow)
    assert (await api.http.post(f"{run}/messages", json=body)).status_code == 202
    assert len(await signals(api_temporal, run.rpartition("/")[2])) == 1
    without = {"content": "more", "command_id": "m1"}
    assert (await api.http.post(f"{run}/messages", json=without)).status_code == 422
    monkeypatch.delitem(CATALOG.agents, "assistant")
    answer = await api.http.post(f"{run}/messages", json={"content": "x", "agent": "catalog"})
    assert (answer.status_code, answer.json()["field"]) == (422, "agent")
    assert len(await signals(api_temporal, run.rpartition("/")[2])) == 1


@pytest.mark.parametrize("wrong", [{"idle_s": 0}, {"idle_s": 1e9}, {"until": 1}, "yes", 1])
async def test_a_malformed_open_is_refused_with_its_field(api: Api, wrong: object) -> None:
    answer = await api.http.post("/v1/runs", json={**TALK, "open": wrong})
    assert answer.status_code == 422
    assert answer.json()["field"].startswith("open")


async def test_only_a_stream_ends_with_a_turn_and_only_that_of_a_known_command(api: Api) -> None:
    run = await opened(api)
    for query, status, field in (
        ("until=turn", 422, "until"),
        ("command=m1&until=turn", 404, None),
        ("until=run", 422, "until"),
    ):
        answer = await api.http.get(f"{run}/events?{query}")
        assert (answer.status_code, answer.json().get("field")) == (status, field), query
    await api.http.post(f"{run}/messages", json={"content": "more", "command_id": "m1"})
    answer = await api.http.get(f"{run}/events?command=m1", headers=SSE)
    assert (answer.status_code, answer.json()["field"]) == (422, "command")


def test_how_long_a_run_may_be_idle_is_the_requests_or_seven_days() -> None:
    validator = RunValidator(CATALOG.agents, RequestLimits(1024, 16))
    week_s = 7 * 86_400
    for wanted, idle_s in ((True, week_s), ({"idle_s": 60}, 60), ({}, week_s), (False, None)):
        request = RunRequest.model_validate({**TALK, "open": wanted})
        assert validator.check(request, run_id()).idle_s == idle_s
