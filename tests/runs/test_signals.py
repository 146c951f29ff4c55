"""Every command works as a signal from the Temporal command line, too."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client

from tests.dev_stack import DevStack

LONG = '{"rehearse": [{"tokens": 2000, "every_ms": 20}]}'
TEMPORAL = Path(sys.executable).with_name("temporal")


async def temporal(stack: DevStack, *arguments: str) -> str:
    """What the Temporal CLI prints."""
    address = stack.state["temporal"]["address"]
    process = await asyncio.create_subprocess_exec(
        str(TEMPORAL),
        *arguments,
        "--address",
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def signal(stack: DevStack, run_id: str, name: str, **payload: Any) -> None:
    """`temporal workflow signal`."""
    given = ["--input", json.dumps(payload)] if payload else []
    await temporal(stack, "workflow", "signal", "--workflow-id", run_id, "--name", name, *given)


async def details(stack: DevStack, run_id: str) -> str:
    """The current details, as the Web UI shows them."""
    client = await Client.connect(stack.state["temporal"]["address"])
    metadata = await client.get_workflow_handle(run_id).query(
        "__temporal_workflow_metadata", result_type=WorkflowMetadata
    )
    return str(metadata.current_details)


async def applied(stack: DevStack, run_id: str) -> list[tuple[str, str]]:
    """Kind and outcome of each command, in order."""
    return [
        (event["data"]["kind"], event["type"].removeprefix("command."))
        for event in await stack.events(run_id)
        if event["type"] in {"command.applied", "command.refused"}
    ]


async def test_pause_resume_redirect_and_cancel_work_without_the_api(stack: DevStack) -> None:
    run_id = await stack.submit({"tokens": 2000, "every_ms": 20})
    await stack.seen(run_id, "message.delta")
    await signal(stack, run_id, "pause", now=True, by="ann")
    await stack.seen(run_id, "run.paused")
    await signal(stack, run_id, "redirect", message=LONG)
    await signal(stack, run_id, "resume")
    await stack.seen(run_id, "run.resumed")
    await signal(stack, run_id, "cancel", reason="enough", by="bob")
    run = await stack.ended(run_id)
    assert run["status"] == "cancelled"
    last = (await stack.events(run_id))[-1]["data"]
    assert (last["by"], last["reason"]) == ("bob", "enough")
    kinds = ["pause", "redirect", "resume", "cancel"]
    assert await applied(stack, run_id) == [(kind, "applied") for kind in kinds]


async def test_decide_and_answer_work_without_the_api(stack: DevStack) -> None:
    calls = [
        {"name": "pay", "arguments": {"amount": 200}},
        {"name": "ask_user", "arguments": {"question": "why?"}},
    ]
    run_id = await stack.submit({"calls": calls}, {"say": "done"}, agent="steered")
    await stack.seen(run_id, "run.waiting")
    await signal(stack, run_id, "answer", request_id="input_1_1", text="because")
    await signal(stack, run_id, "decide", approval_id="approval_1_0", decision="approve", by="ann")
    assert (await stack.ended(run_id))["output"] == "done"
    assert await applied(stack, run_id) == [("answer", "applied"), ("decide", "applied")]


async def test_what_a_run_can_not_act_on_is_refused_and_names_the_field(stack: DevStack) -> None:
    run_id = await stack.submit({"call": "ask_user", "arguments": {"question": "why?"}})
    await stack.seen(run_id, "run.waiting")
    await signal(stack, run_id, "redirect")
    await signal(stack, run_id, "decide", approval_id="nonsense", decision="approve")
    await signal(stack, run_id, "answer", text="because")
    await signal(stack, run_id, "cancel")
    await stack.ended(run_id)
    reasons = [
        event["data"]["reason"].split(":")[0]
        for event in await stack.events(run_id)
        if event["type"] == "command.refused"
    ]
    assert reasons == ["message", "approval_id", "request_id"]


async def test_the_command_lines_in_the_current_details_work_as_they_stand(
    stack: DevStack,
) -> None:
    calls = [
        {"name": "pay", "arguments": {"amount": 200}},
        {"name": "ask_user", "arguments": {"question": "it's `why`?"}},
    ]
    run_id = await stack.submit({"calls": calls}, {"say": "done"}, agent="steered")
    await stack.seen(run_id, "run.waiting")
    await signal(stack, run_id, "pause")
    await stack.seen(run_id, "run.paused")
    shown = await details(stack, run_id)
    assert "**paused**" in shown
    lines = re.findall(r"^temporal workflow signal .*$", shown, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        await temporal(stack, *shlex.split(line)[1:])
    run = await stack.ended(run_id)
    assert run["status"] == "completed"
    assert [how for _, how in await applied(stack, run_id)] == ["applied"] * 4


async def test_a_cancel_request_of_temporal_itself_stops_a_waiting_run(stack: DevStack) -> None:
    run_id = await stack.submit({"call": "ask_user", "arguments": {"question": "why?"}})
    await stack.seen(run_id, "run.waiting")
    await temporal(stack, "workflow", "cancel", "--workflow-id", run_id)
    assert (await stack.ended(run_id))["status"] == "cancelled"
    types = [event["type"] for event in await stack.events(run_id)]
    assert types[-4:] == ["input.closed", "tool.cancelled", "command.applied", "run.cancelled"]
