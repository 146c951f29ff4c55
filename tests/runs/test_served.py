"""Tools of MCP servers in a whole stack: rows never double, whoever dies; questions outlive all."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.dev_stack import DevStack, alive
from tests.mcp_agents import MODULE
from tests.workers.test_wedged import environment_of

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
async def serving(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """A stack whose agents have MCP servers."""
    folder = tmp_path_factory.mktemp("served")
    given = {"RELAYLINE_CATALOG": MODULE, "ODD_FOLDER": str(folder), "RELAYLINE_HEARTBEAT_S": "0.5"}
    async with DevStack(folder, **given) as stack:
        yield stack


def lines(stack: DevStack, name: str = "rows") -> list[str]:
    """What the servers have written."""
    file = stack.data_dir / name
    return file.read_text().splitlines() if file.exists() else []


async def written(stack: DevStack, line: str) -> str:
    """Wait for a line that begins so."""
    async with asyncio.timeout(60):
        while not (found := [it for it in lines(stack) if it.startswith(line)]):
            await asyncio.sleep(0.02)
    return found[-1]


async def inserting(stack: DevStack, text: str, **times: float) -> str:
    """A run that inserts that row."""
    call = {"call": "rows_insert", "arguments": {"text": text, **times}}
    return await stack.submit(call, {"say": "done"}, agent="clerk")


async def results(stack: DevStack, run_id: str) -> list[dict[str, Any]]:
    events = await stack.events(run_id)
    return [event["data"] for event in events if event["type"] == "tool.completed"]


KILLED = {"worker": "before_s", "server": "before_s", "worker later": "after_s", "later": "after_s"}


@pytest.mark.parametrize("who", KILLED)
async def test_a_row_is_never_written_twice_whoever_dies_in_the_call(
    serving: DevStack, who: str
) -> None:
    text = who.replace(" ", "-")
    before = KILLED[who] == "before_s"
    run_id = await inserting(serving, text, **{KILLED[who]: 15})
    begun = await written(serving, f"begun {text} ")
    if not before:
        await written(serving, f"row {text}")
    pid = int(begun.split()[-1])
    if who.startswith("worker"):
        serving.kill_worker()
    else:
        os.kill(pid, signal.SIGKILL)
    asked = await serving.seen(run_id, "input.requested")
    assert asked["data"]["question"].startswith("outcome unknown: rows_insert(")
    assert asked["data"]["server"] == "rows"
    async with asyncio.timeout(30):
        while alive(pid):  # a worker takes its servers along
            await asyncio.sleep(0.05)
    rows = [line for line in lines(serving) if line == f"row {text}"]
    assert len(rows) == (0 if before else 1)
    said = "run it" if before else "happened: inserted"
    if before:
        call = f"begun {text} "
        assert sum(line.startswith(call) for line in lines(serving)) == 1
    await serving.send(run_id, "answer", request_id="outcome_1_0_1", text=said)
    assert (await serving.ended(run_id))["status"] == "completed"
    assert [line for line in lines(serving) if line == f"row {text}"] == [f"row {text}"]


async def test_a_safe_call_goes_on_after_its_server_has_died(serving: DevStack) -> None:
    run_id = await inserting(serving, "one")
    assert (await serving.ended(run_id))["status"] == "completed"
    os.kill(int((await written(serving, "begun one ")).split()[-1]), signal.SIGKILL)
    count = await serving.submit({"call": "rows_count"}, {"say": "done"}, agent="clerk")
    assert (await serving.ended(count))["status"] == "completed"
    [result] = await results(serving, count)
    assert int(result["output"]) == sum(line.startswith("row ") for line in lines(serving))


async def test_a_question_outlives_the_worker_and_the_server(serving: DevStack) -> None:
    order = {"call": "odd_order", "arguments": {"what": "tea"}}
    run_id = await serving.submit(order, {"say": "done"}, agent="clerk")
    asked = (await serving.seen(run_id, "input.requested"))["data"]
    assert (asked["question"], asked["tool"], asked["server"]) == (
        "Which size?",
        "odd_order",
        "odd",
    )
    assert asked["schema"]["properties"]["size"]["type"] == "integer"
    started = int(lines(serving, "starts")[-1])
    serving.kill_worker()
    async with asyncio.timeout(30):
        while alive(started):
            await asyncio.sleep(0.05)
    path = f"/v1/runs/{run_id}/answer"
    body = {"request_id": asked["request_id"], "text": "large"}
    refused = await serving.client.post(path, json=body)
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "text: size: 'large' is not of type 'integer'",
    )
    await serving.send(run_id, "answer", request_id=asked["request_id"], text="4", by="ann")
    assert (await serving.ended(run_id))["status"] == "completed"
    [result] = await results(serving, run_id)
    assert result["output"] == "ordered tea in 4"


async def test_clients_see_the_tools_without_schemas_and_nothing_of_the_servers(
    serving: DevStack,
) -> None:
    run_id = await inserting(serving, "seen")
    await serving.ended(run_id)
    [listed] = [it for it in await serving.events(run_id) if it["type"] == "tools.listed"]
    data = listed["data"]
    assert data["servers"] == ["rows", "odd", "gone"]
    assert "rows_insert" in [tool["name"] for tool in data["tools"]]
    assert [it["server"] for it in data["missing"]] == ["gone"]
    said = json.dumps(await serving.events(run_id))
    assert "before_s" not in said, "that is a parameter of the tool"
    temporal = await serving.temporal()
    history = (await temporal.get_workflow_handle(run_id).fetch_history()).to_json()
    journal = (serving.data_dir / "journal.db").read_bytes().decode(errors="replace")
    assert "before_s" not in history
    for secret in ("no-such-program", "--secret", "row_server", "a key of 32 bytes"):
        assert secret not in said + history + journal, secret


async def test_agents_show_their_servers_and_what_runs_have_found(serving: DevStack) -> None:
    await serving.ended(await inserting(serving, "known"))
    answer = await serving.client.get("/v1/agents")
    found = {agent["name"]: agent["mcp"] for agent in answer.json()["agents"]}
    servers = {it["server"]: it for it in found["clerk"]}
    assert list(servers) == ["rows", "odd", "gone"]
    tools = {tool["name"]: tool for tool in servers["rows"]["tools"]}
    assert {name: (it["effects"], it["approval"]) for name, it in tools.items()} == {
        "rows_insert": ("unsafe", "never"),
        "rows_count": ("safe", "never"),
    }
    assert (servers["gone"]["tools"], bool(servers["gone"]["missing"])) == ([], True)
    assert servers["rows"]["seen_at"]
    assert found["lost"] == [{"server": "nowhere", "tools": None, "missing": None, "seen_at": None}]
    assert found["steered"] == []
    for secret in ("no-such-program", "--secret", "row_server", "127.0.0.1:9", "a key of 32"):
        assert secret not in answer.text, secret


async def test_a_server_that_is_down_fails_the_run_in_the_end(serving: DevStack) -> None:
    run_id = await serving.submit({"say": "never"}, agent="lost")
    failed = (await serving.seen(run_id, "attempt.failed"))["data"]["error"]
    assert failed["type"] == "tools-unavailable"
    assert "nowhere" in failed["message"]
    assert "127.0.0.1:9/hidden" not in json.dumps(await serving.events(run_id))
    await serving.send(run_id, "cancel")
    assert (await serving.ended(run_id))["status"] == "cancelled"


async def test_a_worker_shows_the_figures_of_its_servers(serving: DevStack) -> None:
    await serving.ended(await inserting(serving, "counted"))
    [pid] = serving.pids_of("worker")
    port = environment_of(pid)["RELAYLINE_WORKER_PORT"]
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    lines = dict(line.rpartition(" ")[::2] for line in text.splitlines())
    assert float(lines['relayline_mcp_calls_total{outcome="completed",server="rows"}']) >= 1
    assert float(lines['relayline_mcp_connections{server="rows"}']) == 1
    assert float(lines['relayline_mcp_breaker_open{server="rows"}']) == 0
    assert float(lines['relayline_mcp_failures_total{server="gone"}']) >= 1
