"""Approvals and answers: each reaches the run that asked, or is told why it can't."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ApprovalRequested
from relayline.contracts.keys import requested_key
from relayline.contracts.runs import RunInput, RunProgress, RunStatus, Waiting
from tests.api.asking import APPROVAL, NOON, QUESTION, answered, asking_run, decided, refusal
from tests.api.serving import (
    Api,
    run_id,
    signals,
    waiting_run,
)
from tests.api.test_commands import outcome


async def test_decisions_and_answers_are_signals_with_what_was_said(
    api: Api, api_temporal: Client
) -> None:
    run = await asking_run(api)
    given: list[dict[str, Any]] = [
        {"decision": "approve", "by": "ann"},
        {"decision": "approve", "arguments": {"path": "b.txt", "lines": [1]}, "note": "there"},
        {"decision": "deny", "note": "not today", "command_id": "my-own"},
    ]
    for body in given:
        answer = await decided(api, run, **body)
        assert answer.status_code == 202, answer.text
        name, taken = (await signals(api_temporal, run))[-1]
        wanted = {"by": "", "note": "", "arguments": None, "approval_id": APPROVAL, **body}
        assert (name, taken) == ("decide", {**wanted, **answer.json()})
    answer = await answered(api, run, text="that", by="ann")
    command = answer.json()["command_id"]
    assert (await signals(api_temporal, run))[-1] == (
        "answer",
        {"command_id": command, "by": "ann", "request_id": QUESTION, "text": "that"},
    )
    for sent, kind in ((command, "answer"), ("my-own", "decide")):
        view = await outcome(api, run, sent, wait=0)
        assert (view["state"], view["kind"]) == ("accepted", kind)


async def test_one_key_is_one_decision_of_one_approval(api: Api, api_temporal: Client) -> None:
    run = await asking_run(api)
    other = ApprovalRequested(approval_id="approval_1_1", call_id="c", tool="x", expires_at=NOON)
    await api.journal.append(run, [NewEvent(key=requested_key("approval_1_1"), body=other)])
    receipts = [
        await api.http.post(
            f"/v1/runs/{run}/approvals/{approval}",
            json={"decision": "deny"},
            headers={"Idempotency-Key": "k"},
        )
        for approval in (APPROVAL, APPROVAL, "approval_1_1")
    ]
    assert [answer.status_code for answer in receipts] == [202] * 3
    first, again, second = (answer.json()["command_id"] for answer in receipts)
    assert first == again != second
    assert len(await signals(api_temporal, run)) == 2


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"path": 5}, "arguments.path"),
        ({"path": "a", "lines": [1, "x"]}, "arguments.lines[1]"),
        ({}, "arguments"),
        ({"path": "a", "mode": "w"}, "arguments"),
    ],
)
async def test_edited_arguments_have_to_fit_the_tool(
    api: Api, api_temporal: Client, arguments: dict[str, Any], field: str
) -> None:
    run = await asking_run(api)
    answer = await decided(api, run, arguments=arguments)
    assert refusal(answer) == (422, "invalid-field")
    assert answer.json()["field"] == field
    assert answer.json()["detail"].startswith(f"{field}: ")
    assert await signals(api_temporal, run) == []


@pytest.mark.parametrize(
    "content",
    [
        b'{"decision":"approve","arguments":{"path":NaN}}',
        b'{"decision":"approve","arguments":{"path":"\\ud800"}}',
        b'{"decision":"approve","arguments":{"path":' + b"[" * 400 + b"]" * 400 + b"}}",
    ],
    ids=["nan", "surrogate", "deep"],
)
async def test_arguments_that_are_no_json_are_refused(api: Api, content: bytes) -> None:
    run = await asking_run(api)
    answer = await api.http.post(
        f"/v1/runs/{run}/approvals/{APPROVAL}",
        content=content,
        headers={"Content-Type": "application/json"},
    )
    assert refusal(answer) == (422, "invalid-field")
    assert answer.json()["field"].startswith("arguments")


async def test_an_answer_has_to_fit_the_question(api: Api, api_temporal: Client) -> None:
    run = await asking_run(api, schema={"type": "string", "enum": ["left", "right"]})
    answer = await answered(api, run, text="up")
    assert refusal(answer) == (422, "invalid-field")
    assert answer.json()["field"] == "text"
    assert "left" in answer.json()["detail"]
    assert (await answered(api, run, text="left")).status_code == 202
    assert [name for name, _ in await signals(api_temporal, run)] == ["answer"]


OPEN = (
    Waiting(kind="approval", id=APPROVAL, what="write_file"),
    Waiting(kind="input", id=QUESTION, what="which one?"),
)


@workflow.defn(name="AgentRun")
class Asking:
    """A run that waits and has not come to journal or memo with it yet."""

    @workflow.run
    async def run(self, run_input: RunInput) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def progress(self) -> RunProgress:
        return RunProgress(
            run_id=workflow.info().workflow_id,
            agent="assistant",
            model="rehearsal",
            status=RunStatus.WAITING,
            waiting_for=OPEN,
        )


@pytest.mark.parametrize("told_by", ["memo", "query"])
async def test_what_is_not_journaled_yet_is_known_from_the_run_itself(
    api: Api, api_temporal: Client, told_by: str
) -> None:
    queue = run_id()
    if told_by == "memo":
        run = await waiting_run(api_temporal, *OPEN)
        assert (await decided(api, run, arguments={"path": 5})).status_code == 202
        assert (await answered(api, run)).status_code == 202
        return
    run = await waiting_run(api_temporal, task_queue=queue)
    async with Worker(
        api_temporal,
        task_queue=queue,
        workflows=[Asking],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        assert (await decided(api, run)).status_code == 202
        assert (await answered(api, run)).status_code == 202
        assert refusal(await decided(api, run, QUESTION)) == (404, "unknown-approval")
        assert refusal(await answered(api, run, "input_9_9")) == (404, "unknown-request")


@pytest.mark.usefixtures("working")
async def test_an_approval_lets_a_waiting_run_go_on(api: Api) -> None:
    script = {"rehearse": [{"call": "calculate", "arguments": {}}, {"say": "done"}]}
    body = {
        "agent": "assistant",
        "input": json.dumps(script),
        "limits": {"max_steps": 1, "on_limit": "ask"},
    }
    run = (await api.http.post("/v1/runs", json=body)).json()["run_id"]
    view: dict[str, Any] = {"status": "queued"}
    async with asyncio.timeout(60):
        while view["status"] != "waiting":
            await asyncio.sleep(0.05)
            view = (await api.http.get(f"/v1/runs/{run}")).json()
    [wanted] = view["waiting_for"]
    assert wanted["kind"] == "approval"
    assert wanted["what"]
    answer = await decided(api, run, wanted["id"], by="ann")
    assert answer.status_code == 202, answer.text
    view = await outcome(api, run, answer.json()["command_id"])
    assert (view["state"], view["kind"]) == ("applied", "decide")
    late = await decided(api, run, wanted["id"], decision="deny")
    assert refusal(late) == (409, "approval-resolved")
    assert (late.json()["decision"], late.json()["by"]) == ("approve", "ann")
    view = (await api.http.get(f"/v1/runs/{run}", params={"wait": 10})).json()
    assert (view["status"], view["output"]) == ("completed", "done")
