"""Forks of real runs: another future, the same past, which is neither paid nor done again."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from relayline import AsyncClient
from relayline.contracts.envelope import Envelope
from relayline.contracts.runs import TASK_QUEUE, AgentSpec, RunInput, ToolSpec
from relayline.projections.rendered import render
from relayline.workflows.agent_run import AgentRun
from tests.dev_stack import DevStack
from tests.resetting import FIRST_TASK, reset, reset_to
from tests.runs.test_encrypted import console

pytestmark = pytest.mark.stack

LOOK = {"call": "calculate", "arguments": {"expression": "6*7"}}
DONE = {"say": "that is all"}
SAID = {"message.user", "message.completed", "message.interrupted", "tool.completed", "tool.failed"}


def script(*items: dict[str, Any]) -> str:
    return json.dumps({"rehearse": list(items)})


async def fork(stack: DevStack, run_id: str, **body: Any) -> str:
    """Fork a run; the fork's id."""
    answer = await stack.client.post(f"/v1/runs/{run_id}/fork", json=body)
    assert answer.status_code == 202, answer.text
    forked: str = answer.json()["run_id"]
    return forked


def past_and_own(
    events: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The events up to `to_seq` after `run.forked`, and those after it."""
    [forked] = [it for it in events if it["type"] == "run.forked"]
    to_seq = forked["data"]["to_seq"]
    past = [it for it in events if forked["seq"] < it["seq"] <= to_seq]
    return past, [it for it in events if it["seq"] > to_seq]


def said(events: list[dict[str, Any]]) -> list[tuple[str, int | None, dict[str, Any]]]:
    return [(it["type"], it.get("step"), it["data"]) for it in events if it["type"] in SAID]


async def test_a_fork_takes_over_the_past_and_does_the_rest_itself(stack: DevStack) -> None:
    run_id = await stack.submit(LOOK, LOOK, {"say": "first"}, metadata={"team": "blue"})
    run = await stack.ended(run_id)
    before = await stack.events(run_id)
    fork_id = await fork(stack, run_id, from_step=2, metadata={"try": "2"})
    view = await stack.ended(fork_id)
    assert (view["status"], view["output"]) == ("completed", "first")
    events = await stack.events(fork_id)
    assert [it["type"] for it in events[:3]] == ["run.queued", "run.started", "run.forked"]
    past, own = past_and_own(events)
    source = [it for it in before if it["seq"] <= view["forked_from"]["seq"]]
    assert said(past) == said(source)
    assert {it.get("step") for it in own} <= {None, 2, 3}
    assert view["forked_from"]["run_id"] == run_id
    assert view["forked_from"]["step"] == 2
    assert view["metadata"] == {"team": "blue", "try": "2"}
    listed = await stack.client.get("/v1/runs", params={"forked_from": run_id})
    assert [it["run_id"] for it in listed.json()["runs"]] == [fork_id]
    assert await stack.events(run_id) == before
    assert view["usage"]["input_tokens"] < run["usage"]["input_tokens"]
    assert view["inherited_usage"]["output_tokens"] > 0
    rendered = render(map(Envelope.model_validate, events))
    assert rendered.usage.output_tokens == view["usage"]["output_tokens"]


async def test_a_result_can_be_another_one(stack: DevStack) -> None:
    run_id = await stack.submit(LOOK, DONE)
    await stack.ended(run_id)
    edit = {"call_id": "call_1_0", "output": "43, says a broken calculator"}
    fork_id = await fork(stack, run_id, from_step=2, edits=[edit])
    await stack.ended(fork_id)
    events = await stack.events(fork_id)
    [forked] = [it for it in events if it["type"] == "run.forked"]
    assert forked["data"]["edits"] == [
        {"call_id": "call_1_0", "before": "42", "after": "43, says a broken calculator"}
    ]
    [result] = [it for it in events if it["type"] == "tool.completed"]
    assert result["data"]["output"] == edit["output"]


async def test_an_ended_run_goes_on_as_the_409_says(stack: DevStack) -> None:
    run_id = await stack.submit(DONE)
    await stack.ended(run_id)
    message = {"content": script(LOOK, {"say": "and more"})}
    refused = await stack.client.post(f"/v1/runs/{run_id}/messages", json=message)
    assert refused.status_code == 409
    fork_id = await fork(stack, run_id, **refused.json()["fork"])
    view = await stack.ended(fork_id)
    assert (view["status"], view["output"], view["step"]) == ("completed", "and more", 3)
    again = await fork(stack, fork_id, message="a fork of a fork")
    view = await stack.ended(again)
    assert view["status"] == "completed"
    past, _ = past_and_own(await stack.events(again))
    assert [it["data"]["text"] for it in past if it["type"] == "message.completed"][-1] == (
        "and more"
    )


async def test_a_history_is_a_past_as_well(stack: DevStack) -> None:
    history = [
        {"role": "user", "content": "what is 6*7?"},
        {"role": "assistant", "content": "42"},
        {"role": "user", "content": "sure?"},
        {"role": "assistant", "content": "yes"},
    ]
    run_id = await stack.submit(DONE, history=history, limits={"max_steps": 1})
    view = await stack.ended(run_id)
    assert (view["status"], view["step"], view["forked_from"]) == ("completed", 3, None)
    past, own = past_and_own(await stack.events(run_id))
    assert [it["data"]["text"] for it in past] == [it["content"] for it in history]
    assert own[0]["type"] == "message.user"


async def test_a_conversation_goes_on_from_an_earlier_turn(stack: DevStack) -> None:
    run_id = await stack.submit(DONE, open=True)
    await stack.seen(run_id, "turn.completed")
    await stack.send(run_id, "messages", content="more")
    await stack.seen_text(run_id, "turn 2 begins")
    await stack.client.get(f"/v1/runs/{run_id}", params={"wait": 30})
    fork_id = await fork(stack, run_id, from_step=2, message="something else")
    await stack.client.get(f"/v1/runs/{fork_id}", params={"wait": 30})
    view = (await stack.client.get(f"/v1/runs/{fork_id}")).json()
    assert (view["status"], view["turn"], view["last_turn"]["turn"]) == ("idle", 2, 2)
    await stack.send(fork_id, "close")
    await stack.ended(fork_id)
    await stack.send(run_id, "close")


async def test_a_reset_run_is_forked_as_it_counts(stack: DevStack) -> None:
    call = {"call": "sleep", "arguments": {"seconds": 0}}
    run_id = await stack.submit(call, {"say": "then"}, call, DONE)
    await stack.ended(run_id)
    await reset(stack, run_id, after_activity=3)
    await stack.seen(run_id, "run.rewound")
    await stack.ended(run_id)
    fork_id = await fork(stack, run_id, message=script(DONE))
    view = await stack.ended(fork_id)
    assert view["status"] == "completed"


async def test_a_fork_that_is_reset_keeps_its_past(stack: DevStack) -> None:
    run_id = await stack.submit(LOOK, LOOK, DONE)
    await stack.ended(run_id)
    fork_id = await fork(stack, run_id, from_step=2)
    await stack.ended(fork_id)
    events, temporal = await stack.events(fork_id), await stack.temporal()
    await reset_to(stack, fork_id, FIRST_TASK)
    result = await temporal.get_workflow_handle(fork_id).result()
    assert result["status"] == "completed"
    assert await stack.events(fork_id) == events
    await reset(stack, fork_id, after_activity=1)
    rewound = (await stack.seen(fork_id, "run.rewound"))["data"]
    view = await stack.ended(fork_id)
    past, _ = past_and_own(await stack.events(fork_id))
    assert rewound["to_seq"] == past[-1]["seq"]
    assert (view["status"], view["output"]) == ("completed", "that is all")


@pytest.mark.slow
async def test_a_worker_that_dies_in_the_middle_leaves_one_whole_fork(stack: DevStack) -> None:
    run_id = await stack.submit(*[LOOK] * 20, DONE)
    await stack.ended(run_id)
    for pause_s in (0.0, 0.05, 0.2):
        before = stack.kill_worker()
        fork_id = await fork(stack, run_id, from_step=20)
        while stack.state["workers"][0]["pid"] == before:
            await asyncio.sleep(0.02)
        await asyncio.sleep(pause_s)
        stack.kill_worker()
        view = await stack.ended(fork_id)
        assert (view["status"], view["output"]) == ("completed", "that is all")
        events = await stack.events(fork_id)
        assert [it["seq"] for it in events] == [*range(1, len(events) + 1)]
        past, own = past_and_own(events)
        assert [it["step"] for it in past if it["type"] == "message.completed"] == [*range(1, 20)]
        assert {it.get("step") for it in own} <= {None, 20, 21}


async def test_a_run_that_has_continued_as_new_can_be_forked(stack: DevStack) -> None:
    tool = ToolSpec(name="sleep", parameters={"type": "object"})
    call = {"call": "sleep", "arguments": {"seconds": 0}}
    agent = AgentSpec(name="long", model="rehearsal", tools=(tool,))
    run_id = f"run_{uuid4().hex}"
    given = RunInput(run_id=run_id, agent=agent, input=script(*[call] * 6, DONE), history_bound=40)
    temporal = await stack.temporal()
    await temporal.start_workflow(AgentRun.run, given, id=run_id, task_queue=TASK_QUEUE)
    await stack.seen(run_id, "run.completed")
    view = await stack.ended(await fork(stack, run_id, from_step=7))
    assert (view["status"], view["agent"], view["output"]) == ("completed", "long", "that is all")


async def test_the_library_and_the_command_fork(stack: DevStack) -> None:
    run_id = await stack.submit(LOOK, DONE)
    await stack.ended(run_id)
    async with AsyncClient(stack.api_urls[0]) as client:
        made = await client.run(run_id).fork(from_step=2, limits={"max_steps": 1})
        view = await made.wait(60)
        assert view.forked_from
        assert (view.status, view.forked_from.step) == ("completed", 2)
        again = await client.submit("assistant", "x", history=[{"role": "user", "content": "y"}])
        assert (await again.wait(60)).status == "completed"
    edited = ("--edit", "call_1_0=43", "--from-step", "2", "--watch")
    shown = await console(stack, "fork", run_id, *edited)
    assert shown.code == 0, shown.err
    assert "that is all" in shown.out
    wrong = await console(stack, "fork", run_id, "--from-step", "9")
    assert (wrong.code, "from_step" in wrong.err) == (1, True)
    asked = await console(stack, "fork", run_id, "--message", "@no/such/file")
    assert asked.code == 2
