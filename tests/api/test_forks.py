"""`POST /v1/runs/{id}/fork`: what can be forked, and that each fork is started once."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    MessageCompleted,
    RunForked,
    StepStarted,
    ToolCompleted,
    UserMessageEvent,
)
from relayline.contracts.keys import FORKED_KEY
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.principals import Scope
from relayline.contracts.runs import RunInput
from relayline.runtime.temporal import data_converter
from tests.api.asking import refusal
from tests.api.auth.keyed import headers_of, keyed
from tests.api.serving import Api, completed, envelopes, run_id, said, serving, started

LOOK = ToolCall(call_id="call_1_0", name="look")
SPENT = Usage(input_tokens=5, output_tokens=7)


def two_steps() -> list[NewEvent]:
    """What a run has said that has called one tool and answered."""
    bodies = [
        ("0/step/1/started", 1, StepStarted(model="rehearsal")),
        (
            "0/step/1/message",
            1,
            MessageCompleted(text="", tool_calls=(LOOK,), finish_reason="tool_calls", usage=SPENT),
        ),
        ("0/call/call_1_0/result", 1, ToolCompleted(call_id="call_1_0", name="look", output="42")),
        ("0/step/2/started", 2, StepStarted(model="rehearsal")),
        ("0/step/2/message", 2, MessageCompleted(text="done", finish_reason="stop", usage=SPENT)),
    ]
    return [NewEvent(key=key, body=body, step=step) for key, step, body in bodies]


async def played(api: Api, headers: dict[str, str] | None = None, **fields: Any) -> str:
    """A run that has ended in the journal after two steps."""
    body = {"agent": "assistant", "input": "hello", **fields}
    answer = await api.http.post("/v1/runs", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["run_id"]
    await api.journal.append(run, [started(), said("hello"), *two_steps(), completed()])
    return run


async def fork(api: Api, run: str, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.http.post(f"/v1/runs/{run}/fork", json=body, headers=headers)


async def input_of(client: Client, run: str) -> RunInput:
    """The argument of its workflow."""
    handle = client.get_workflow_handle(run)
    async for event in handle.fetch_history_events():
        given = event.workflow_execution_started_event_attributes.input.payloads
        return (await data_converter.decode(given, [RunInput]))[0]  # type: ignore[no-any-return]
    raise AssertionError("no event")


async def test_a_fork_is_accepted_and_listed_and_its_run_does_not_change(
    api: Api, api_temporal: Client
) -> None:
    run = await played(api, metadata={"team": "blue", "try": "1"})
    before = await envelopes(api.journal, run)
    answer = await fork(api, run, from_step=2, metadata={"try": "2"}, model="rehearsal", steps=1)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert told["forked_from"] == {"run_id": run, "step": 2, "seq": 6}
    assert told["status"] == "queued"
    assert answer.headers["Location"] == f"/v1/runs/{told['run_id']}"
    listed = await api.http.get("/v1/runs", params={"forked_from": run})
    [item] = listed.json()["runs"]
    assert (item["run_id"], item["title"], item["forked_from"]) == (told["run_id"], "hello", run)
    view = (await api.http.get(f"/v1/runs/{told['run_id']}")).json()
    assert view["forked_from"] == told["forked_from"]
    assert view["metadata"] == {"team": "blue", "try": "2"}
    given = await input_of(api_temporal, told["run_id"])
    assert given.past
    assert given.past.changed == {"model": "rehearsal"}
    assert (given.past.seq, given.past.asks, given.past.steps) == (6, False, 1)
    assert given.input == "hello"
    assert await envelopes(api.journal, run) == before


async def test_a_repeated_key_is_the_same_fork_and_another_body_is_refused(api: Api) -> None:
    run, key = await played(api), uuid4().hex
    first = await fork(api, run, key, message="more")
    again = await fork(api, run, key, message="more")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["run_id"] == first.json()["run_id"]
    assert again.json()["forked_from"] == first.json()["forked_from"]
    other = await fork(api, run, key, message="something else")
    assert refusal(other) == (422, "idempotency-key-reused")
    of_another = await fork(api, await played(api), key, message="more")
    assert refusal(of_another) == (422, "idempotency-key-reused")
    submission = {"agent": "assistant", "input": "more"}
    headers = {"Idempotency-Key": key}
    run_of_it = await api.http.post("/v1/runs", json=submission, headers=headers)
    assert refusal(run_of_it) == (422, "idempotency-key-reused")


async def test_a_repeated_key_finds_its_fork_when_the_run_is_erased(api: Api) -> None:
    run, key = await played(api), uuid4().hex
    first = await fork(api, run, key, message="more")
    assert (await api.http.delete(f"/v1/runs/{run}")).status_code == 204
    again = await fork(api, run, key, message="more")
    assert (again.status_code, again.json()["run_id"]) == (200, first.json()["run_id"])
    assert refusal(await fork(api, run, message="more")) == (410, "run-erased")
    fork_id = first.json()["run_id"]
    await api.journal.append(fork_id, [started(), completed()])
    assert (await api.http.delete(f"/v1/runs/{fork_id}")).status_code == 204
    assert refusal(await fork(api, run, key, message="more")) == (410, "run-erased")


@pytest.mark.parametrize(
    ("body", "status", "slug", "field"),
    [
        ({"from_step": 4}, 422, "invalid-field", "from_step"),
        ({"from_step": 0}, 422, "invalid-field", "from_step"),
        ({}, 422, "invalid-field", "message"),
        ({"from_step": 3}, 422, "invalid-field", "message"),
        ({"message": ""}, 422, "invalid-field", "message"),
        ({"message": "x", "input": "y"}, 422, "invalid-field", "message"),
        ({"from_step": 2, "input": "y"}, 422, "invalid-field", "input"),
        ({"message": "é" * 131_073}, 413, "input-too-large", "message"),
        ({"message": '{"rehearse": [{"shout": "hi"}]}'}, 422, "bad-script", "message"),
        (
            {"from_step": 2, "edits": [{"call_id": "call_2_0", "output": ""}]},
            *(422, "invalid-field", "edits.0.call_id"),
        ),
        (
            {"from_step": 1, "edits": [{"call_id": "call_1_0", "output": ""}]},
            *(422, "invalid-field", "edits.0.call_id"),
        ),
        (
            {"from_step": 2, "edits": [{"call_id": "call_1_0", "output": ""}] * 2},
            *(422, "invalid-field", "edits.1.call_id"),
        ),
        ({"from_step": 2, "edits": [{"call_id": "call_1_0"}]}, 422, "invalid-field", "edits.0"),
        ({"from_step": 2, "agent": "assistant"}, 422, "invalid-field", "agent"),
        ({"from_step": 2, "model": "gpt-9"}, 422, "unknown-model", "model"),
        ({"from_step": 2, "tools": ["hammer"]}, 422, "unknown-tool", "tools.0"),
        ({"from_step": 2, "limits": {"max_steps": 0}}, 422, "invalid-field", "limits.max_steps"),
        ({"from_step": 2, "metadata": {"tenant": "x"}}, 422, "invalid-field", "metadata.tenant"),
        (
            {"from_step": 2, "metadata": {str(n): "" for n in range(17)}},
            *(422, "invalid-field", "metadata"),
        ),
        ({"from_step": 2, "steps": 0}, 422, "invalid-field", "steps"),
        ({"from_step": 2, "surprise": 1}, 422, "invalid-field", "surprise"),
    ],
)
async def test_a_bad_fork_names_what_is_wrong(
    api: Api, body: dict[str, Any], status: int, slug: str, field: str
) -> None:
    answer = await fork(api, await played(api), **body)
    assert refusal(answer) == (status, slug), answer.text
    assert answer.json()["field"].startswith(field)


async def test_what_is_not_there_can_not_be_forked(api: Api) -> None:
    assert refusal(await fork(api, run_id(), message="x")) == (404, "unknown-run")
    new = await api.http.post("/v1/runs", json={"agent": "assistant", "input": "hello"})
    begun = await fork(api, new.json()["run_id"], from_step=1)
    assert (refusal(begun), begun.json()["field"]) == ((422, "invalid-field"), "from_step")
    replaced = await fork(api, new.json()["run_id"], input="hi")
    assert replaced.status_code == 202


async def test_a_run_that_temporal_has_forgotten_needs_an_agent(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started(), said("hello"), *two_steps(), completed()])
    answer = await fork(api, run, from_step=2)
    assert refusal(answer) == (422, "agent-forgotten")
    assert (await fork(api, run, from_step=2, agent="catalog")).status_code == 202


async def test_a_message_to_an_ended_run_is_answered_with_the_body_of_its_fork(api: Api) -> None:
    run = await played(api)
    answer = await api.http.post(f"/v1/runs/{run}/messages", json={"content": "and 7*8?"})
    assert refusal(answer) == (409, "run-ended")
    assert answer.json()["fork"] == {"message": "and 7*8?"}
    asked = {"content": "and 7*8?", "agent": "catalog"}
    today = await api.http.post(f"/v1/runs/{run}/messages", json=asked)
    assert today.json()["fork"] == {"message": "and 7*8?", "agent": "catalog"}
    forked = await fork(api, run, **answer.json()["fork"])
    assert forked.json()["forked_from"]["step"] == 3


async def test_a_fork_shows_what_its_past_had_cost(api: Api) -> None:
    run = await played(api)
    fork_id = (await fork(api, run, message="more")).json()["run_id"]
    past = RunForked(run_id=run, step=3, seq=8, to_seq=5)
    message = MessageCompleted(text="old", finish_reason="stop", usage=SPENT)
    own = MessageCompleted(text="new", finish_reason="stop", usage=Usage(output_tokens=1))
    facts = [
        started(),
        NewEvent(key=FORKED_KEY, body=past),
        NewEvent(key="inherited/3", body=UserMessageEvent(text="hello")),
        NewEvent(key="0/step/1/message", body=message, step=1),
        NewEvent(key="0/step/3/message", body=own, step=3),
        completed(),
    ]
    placed = await api.journal.append(fork_id, facts)
    assert placed[3].seq == 5
    view = (await api.http.get(f"/v1/runs/{fork_id}")).json()
    assert view["inherited_usage"]["output_tokens"] == 7
    assert view["forked_from"] == {"run_id": run, "step": 3, "seq": 8}


async def test_whoever_may_not_have_higher_limits_may_not_fork_with_them(
    api_temporal: Client, journal: Any
) -> None:
    async with serving(keyed(), journal, api_temporal) as api:
        everything = await headers_of(journal, "red")
        plain = await headers_of(journal, "red", Scope.RUNS_READ, Scope.RUNS_WRITE)
        run = await played(api, everything, limits={"max_steps": 10_000})
        path, body = f"/v1/runs/{run}/fork", {"from_step": 2}
        refused = await api.http.post(path, json=body, headers=plain)
        assert (refused.status_code, refused.json()["scope"]) == (403, "runs:unlimited")
        limits = {"limits": {"max_steps": 5}}
        assert (await api.http.post(path, json=body | limits, headers=plain)).status_code == 202
        assert (await api.http.post(path, json=body, headers=everything)).status_code == 202
        reader = await headers_of(journal, "red", Scope.RUNS_READ)
        assert (await api.http.post(path, json=body, headers=reader)).status_code == 403


@pytest.mark.parametrize(
    ("history", "status", "field"),
    [
        ([{"role": "system", "content": "x"}], 422, "history.0.role"),
        ([{"role": "user", "content": ""}], 422, "history.0.content"),
        ([{"role": "user"}], 422, "history.0.content"),
        ([{"role": "user", "content": "x", "name": "y"}], 422, "history.0.name"),
        ([{"role": "user", "content": "x"}] * 1001, 422, "history"),
        ([{"role": "user", "content": "é" * 131_070}], 413, "history"),
        ("x", 422, "history"),
    ],
)
async def test_a_bad_history_names_what_is_wrong(
    api: Api, history: Any, status: int, field: str
) -> None:
    body = {"agent": "assistant", "input": "hello", "history": history}
    answer = await api.http.post("/v1/runs", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["field"] == field


async def test_a_history_belongs_to_the_request(api: Api, api_temporal: Client) -> None:
    history = [{"role": "user", "content": "6*7?"}, {"role": "assistant", "content": "42"}]
    body, key = {"agent": "assistant", "input": "sure?", "history": history}, uuid4().hex
    headers = {"Idempotency-Key": key}
    first = await api.http.post("/v1/runs", json=body, headers=headers)
    again = await api.http.post("/v1/runs", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    other = await api.http.post("/v1/runs", json=body | {"history": None}, headers=headers)
    assert refusal(other) == (422, "idempotency-key-reused")
    given = await input_of(api_temporal, first.json()["run_id"])
    assert given.past
    assert given.past.step == 2
    assert json.loads(given.model_dump_json())["past"]["history"] == history


async def test_instructions_of_a_request_are_not_filled_in_and_the_user_stays(
    api: Api, api_temporal: Client
) -> None:
    run = await played(api, agent="brief", user="ann")
    same = (await fork(api, run, message="again")).json()["run_id"]
    given = {"message": "again", "instructions": "Be long, {user}."}
    other = (await fork(api, run, **given)).json()["run_id"]
    as_it_was, changed = await input_of(api_temporal, same), await input_of(api_temporal, other)
    assert (as_it_was.agent.template, as_it_was.user) == (True, "ann")
    assert (changed.agent.template, changed.user) == (False, "ann")
    assert changed.agent.instructions == "Be long, {user}."
