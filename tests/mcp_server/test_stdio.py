"""`relayline mcp serve`, driven by an independent client, and by one that knows no tasks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import venv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import TextContent

from tests.activities.tool.mcp.installed import once
from tests.dev_stack import DevStack
from tests.docs.pages import ROOT

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]  # it installs a client
RELAYLINE = str(Path(sys.executable).with_name("relayline"))
FASTMCP = ("fastmcp==4.1.4", "fastmcp-tasks==4.1.4")
DRIVES = Path(__file__).with_name("drives.py")
STEERING = {"get_run", "list_runs", "read_events", "redirect", "answer", "cancel"}


def fastmcp() -> str:
    """A Python that has fastmcp, whose dependencies do not go with ours."""

    def steps(at: Path) -> list[list[str]]:
        venv.create(at, with_pip=True)
        return [[str(at / "bin/python"), "-m", "pip", "install", "--quiet", *FASTMCP]]

    return str(once("fastmcp", steps) / "bin/python")


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    async with DevStack(tmp_path_factory.mktemp("mcp") / "data") as started:
        yield started


async def test_an_independent_client_drives_results_questions_approvals_and_cancels(
    stack: DevStack,
) -> None:
    python = await asyncio.to_thread(fastmcp)
    words = (python, str(DRIVES), RELAYLINE, "mcp", "serve", "--url", stack.api_urls[0])
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}
    )
    async with asyncio.timeout(200):
        out, _ = await process.communicate()
    assert process.returncode == 0
    said = json.loads(out.splitlines()[-1])
    assert {*said["tools"]} > STEERING
    assert {"run_assistant", "run_steered"} < {*said["tools"]}
    assert "decide" not in said["tools"]
    assert said["result"] == "forty-two"
    assert said["question"] == "So be it."
    assert said["approval"] == "Paid."
    assert said["asked"] == ["Which colour?", "Approve pay(amount=500)?"]
    assert said["cancelled"] == "cancelled"
    assert said["refused"][0] is True
    assert "nobody" in said["refused"][1]
    assert said["statuses"][0] == said["view"] == "cancelled"
    assert said["first"] == "run.queued"
    assert "wait_s" in said["bounded"]


async def test_a_client_without_tasks_gets_the_run_s_id_and_a_model_may_decide_where_allowed(
    stack: DevStack,
) -> None:
    words = ["mcp", "serve", "--url", stack.api_urls[0], "--decide"]
    server = StdioServerParameters(command=RELAYLINE, args=words)
    async with Client(stdio_client(server)) as client:

        async def asked(name: str, **arguments: object) -> dict[str, object]:
            [block] = (await client.call_tool(name, dict(arguments))).content
            assert isinstance(block, TextContent)
            answer: dict[str, object] = json.loads(block.text)
            return answer

        pays = {"call": "pay", "arguments": {"amount": 500}}
        script = json.dumps({"rehearse": [pays, {"say": "Paid."}]})
        run = (await asked("run_steered", message=script, metadata={"team": "a"}))["run_id"]
        async with asyncio.timeout(60):
            while not (waits := (await asked("get_run", run_id=run)).get("waiting_for")):
                await asyncio.sleep(0.1)
        assert isinstance(waits, list)
        told = await asked("decide", run_id=run, approval_id=waits[0]["id"], approve=True)
        assert told["state"] == "applied"
        view = await asked("get_run", run_id=run, wait_s=45)
        assert (view["output"], view["metadata"]) == ("Paid.", {"team": "a"})
