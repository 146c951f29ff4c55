"""Runs within runs, on a whole stack: results, rows, waiting, erasure."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.dev_stack import DevStack
from tests.family.scripts import (
    ASKS_A_PERSON,
    asks,
    below,
    child_of,
    facts,
    row,
    says,
    together,
    until,
)


async def test_answers_of_runs_below_are_results_of_calls(stack: DevStack) -> None:
    deep = asks("steered", says("deep"))
    run_id = await stack.submit(
        together(asks("deputy", deep, says("middle")), asks("steered", {"fail": 401})),
        says("done"),
        agent="lead",
        metadata={"team": "blue"},
        user="ann",
    )
    assert (await stack.ended(run_id))["output"] == "done"
    [result] = await facts(stack, run_id, "tool.completed")
    assert (result["call_id"], result["output"]) == ("call_1_0", "middle")
    [failure] = await facts(stack, run_id, "tool.failed")
    assert failure["error_type"] == "child-failed"
    assert "model-refused" in failure["error"]

    runs = await below(stack, run_id)
    assert {it["agent"] for it in runs} == {"deputy", "steered"}
    assert all(it["metadata"] == {"team": "blue"} for it in runs)
    for run in runs:
        [queued] = await facts(stack, run["run_id"], "run.queued")
        assert queued["user"] == "ann"
    deputy = next(it for it in runs if it["agent"] == "deputy")
    lowest = next(it for it in runs if it["parent"] == deputy["run_id"])
    assert lowest["root"] == run_id
    found = await stack.client.get("/v1/runs", params={"parent": run_id})
    assert {it["status"] for it in found.json()["runs"]} == {"completed", "failed"}

    tree = [await row(stack, run_id), *runs]
    total = sum(it["usage"]["output_tokens"] for it in tree)
    top = tree[0]
    assert top["usage"]["output_tokens"] + top["child_usage"]["output_tokens"] == total
    assert float(top["child_usage"]["cost"]["amount"]) > 0


async def test_a_fork_may_ask_whom_its_run_may_ask(stack: DevStack) -> None:
    run_id = await stack.submit(asks("steered", says("deep")), says("done"), agent="lead")
    await stack.ended(run_id)
    for body in ({"from_step": 1}, {"from_step": 1, "agent": "catalog"}):
        answer = await stack.client.post(f"/v1/runs/{run_id}/fork", json=body)
        fork_id = answer.json()["run_id"]
        assert (await stack.ended(fork_id))["output"] == "done"
        [result] = await facts(stack, fork_id, "tool.completed")
        assert result["output"] == "deep"
        assert [it["agent"] for it in await below(stack, fork_id)] == ["steered"]


async def test_a_call_without_a_message_starts_no_run(stack: DevStack) -> None:
    run_id = await stack.submit({"call": "ask_steered"}, says("so be it"), agent="lead")
    assert (await stack.ended(run_id))["output"] == "so be it"
    [failure] = await facts(stack, run_id, "tool.failed")
    assert failure["error_type"] == "bad-arguments"
    assert await below(stack, run_id) == []


async def test_questions_of_a_run_below_are_answered_at_the_top(stack: DevStack) -> None:
    script = asks("deputy", asks("steered", ASKS_A_PERSON, says("blue it is")), says("middle"))
    run_id = await stack.submit(script, says("done"), agent="lead")
    waiting = await until(stack, run_id, lambda it: it.get("status") == "waiting")
    [item] = waiting["waiting_for"]
    deep = item["run_id"]
    assert (item["kind"], item["id"]) == ("input", f"{deep}.input_1_0")
    view = (await stack.client.get(f"/v1/runs/{run_id}")).json()
    assert view["waiting_for"] == [item]

    inbox = (await stack.client.get("/v1/inbox")).json()["items"]
    [listed] = [it for it in inbox if run_id in {it["run_id"], it["root"]}]
    assert (listed["run_id"], listed["id"]) == (deep, "input_1_0")

    wrong = {"request_id": f"{run_id}.input_1_0", "text": "blue"}
    refused = await stack.client.post(f"/v1/runs/{deep}/answer", json=wrong)
    assert refused.status_code == 404
    answer = {"request_id": item["id"], "text": "blue"}
    receipt = (await stack.client.post(f"/v1/runs/{run_id}/answer", json=answer)).json()
    outcome = await stack.outcome(deep, receipt["command_id"])
    assert (receipt["run_id"], outcome["state"]) == (deep, "applied")
    assert (await stack.ended(run_id))["output"] == "done"
    assert (await row(stack, run_id))["waiting_for"] == []
    assert [it["output"] for it in await facts(stack, deep, "tool.completed")] == ["blue"]


async def test_an_approval_may_be_decided_at_the_run_itself(stack: DevStack) -> None:
    pays = {"call": "pay", "arguments": {"amount": 500}}
    run_id = await stack.submit(asks("steered", pays, says("paid")), says("done"), agent="lead")
    waiting = await until(stack, run_id, lambda it: it.get("status") == "waiting")
    [item] = waiting["waiting_for"]
    child, own = item["id"].split(".")
    await stack.send(child, f"approvals/{own}", decision="approve", by="ann")
    assert (await stack.ended(run_id))["output"] == "done"
    waits = await facts(stack, run_id, "run.waiting")
    assert [len(it["waiting_for"]) for it in waits] == [1, 0]


async def test_a_tree_is_erased_as_one(stack: DevStack) -> None:
    run_id = await stack.submit(
        asks("deputy", asks("steered", says("deep")), says("middle")), says("done"), agent="lead"
    )
    await child_of(stack, run_id)
    ids = [run_id]
    early = await stack.client.delete(f"/v1/runs/{run_id}")
    assert early.status_code in {204, 409}
    await stack.ended(run_id)
    ids += [it["run_id"] for it in await below(stack, run_id)]
    assert len(ids) == 3 or early.status_code == 204
    assert (await stack.client.delete(f"/v1/runs/{run_id}")).status_code == 204
    answers = await asyncio.gather(*(stack.client.get(f"/v1/runs/{it}") for it in ids))
    assert {it.status_code for it in answers} == {404}
    assert await below(stack, run_id) == []


async def test_the_terminal_shows_the_tree(stack: DevStack) -> None:
    script = asks("deputy", asks("steered", ASKS_A_PERSON, says("deep")), says("middle"))
    run_id = await stack.submit(script, says("done"), agent="lead")
    await until(stack, run_id, lambda it: it.get("status") == "waiting")
    shown = await _relayline(stack, "tree", run_id)
    lines = shown.splitlines()
    assert [len(line) - len(line.lstrip()) for line in lines] == [0, 2, 4]
    assert [line.split()[0] for line in lines] == ["lead", "deputy", "steered"]
    assert "Which colour?" in lines[2]
    deep = lines[2].split()[1]

    await stack.send(run_id, "answer", request_id=f"{deep}.input_1_0", text="blue")
    await stack.ended(run_id)
    told = await _relayline(stack, "watch", run_id)
    assert f"`relayline answer {run_id} {deep}.input_1_0 TEXT`" in told
    assert f"↳ deputy works on it: {lines[1].split()[1]}" in told


async def _relayline(stack: DevStack, *arguments: str) -> str:
    command = (str(Path(sys.executable).with_name("relayline")), *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, "--url", stack.api_urls[0], stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()
