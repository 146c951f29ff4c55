"""`relayline tools serve`: a module's tools in a process of their own, called as runs call them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relayline.activities.tool.mcp.port import McpFailure
from relayline.catalog.servers.mcp import Env, McpServer, Override
from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import ApprovalRule
from tests.activities.tool.mcp.conftest import SLOW_S, Opened, Told, eventually, words

RELAYLINE = str(Path(sys.executable).with_name("relayline"))
MODULE = """
import asyncio
import time
from pathlib import Path
from relayline import ApprovalRule, ToolContext, ToolError, tool

DEAR = ApprovalRule(when={"properties": {"euros": {"minimum": 100}}})

@tool(effects="unsafe", approval=DEAR, approval_timeout_s=60, timeout_s=7, retries=0)
def pay(context: ToolContext, euros: int) -> str:
    "Pay that much."
    print("stray words on stdout")
    context.progress("paying", 0.5)
    return f"{context.tenant} {context.run_id} {context.idempotency_key} paid {euros}"

@tool
async def wait(place: str) -> str:
    try:
        Path(place, "waiting").write_text("yes\\n")
        await asyncio.sleep(600)
    finally:
        Path(place, "stopped").write_text("yes\\n")

@tool(timeout_s=0.2)
def late() -> str:
    time.sleep(1)
    return "too late"

@tool
def fails() -> str:
    raise ToolError("not today")

@tool(asks=True)
def asks(question: str) -> str: ...
"""
WORD = "open-sesame"
TRUSTED = {"trusted": True, "connect_s": SLOW_S}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "till.py").write_text(MODULE)
    return tmp_path


def over_stdio(folder: Path, **options: object) -> McpServer:
    command = ("sh", "-c", f"cd {folder} && exec {RELAYLINE} tools serve till")
    return McpServer("till", command=command, **{**TRUSTED, **options})  # type: ignore[arg-type]  # options of a test


async def test_a_trusted_server_s_tools_are_what_their_module_says_and_run(
    opened: Opened, folder: Path
) -> None:
    wing = await opened(over_stdio(folder))
    await wing.pin()
    assert {*wing.tools} == {"pay", "wait", "late", "fails"}
    spec = wing.tools["pay"].spec
    rule = ApprovalRule(when={"properties": {"euros": {"minimum": 100}}})
    assert (spec.name, spec.effects, spec.approval) == ("till_pay", "unsafe", rule)
    assert (spec.timeout_s, spec.retries, spec.approval_timeout_s) == (7, 0, 60)
    assert wing.tools["wait"].spec.effects == "safe"
    told = Told()
    assert await wing.call("pay", {"euros": 5}, told) == "acme run_1 run_1/key paid 5"
    assert told.lines == [("paying", 0.5)]
    for tool, arguments, why in (
        ("fails", {}, "not today"),
        ("pay", {"euros": "x"}, "euros"),
        ("late", {}, "did not"),
    ):
        with pytest.raises(McpFailure, match=why) as failed:
            await wing.call(tool, arguments)
        assert failed.value.kind in {ErrorType.TOOL_FAILED, ErrorType.TOOL_TIMED_OUT}
        assert not failed.value.retryable or tool == "late"
    call = asyncio.create_task(wing.call("wait", {"place": str(folder)}))
    await eventually(lambda: words(folder, "waiting") == 1)
    call.cancel()
    await asyncio.wait({call})
    await eventually(lambda: words(folder, "stopped") == 1)


@pytest.mark.slow
async def test_an_untrusted_server_is_not_believed_and_the_user_wins(
    opened: Opened, folder: Path
) -> None:
    overrides = {"pay": Override(approval="never", retries=3)}
    wing = await opened(over_stdio(folder, trusted=False, overrides=overrides))
    await wing.pin()
    wait, pay = wing.tools["wait"].spec, wing.tools["pay"].spec
    assert (wait.effects, wait.approval) == ("unsafe", "always")
    assert (pay.approval, pay.retries, pay.timeout_s) == ("never", 3, 60)


@contextmanager
def over_http(folder: Path, *more: str, token: str = "") -> Iterator[tuple[McpServer, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "RELAYLINE_TOOLS_TOKEN": token}
    words = (RELAYLINE, "tools", "serve", "till", "--port", str(port), *more)
    with subprocess.Popen(words, cwd=folder, env=env, stderr=subprocess.PIPE) as process:
        try:
            url = f"http://127.0.0.1:{port}/mcp"
            headers = {"Authorization": Env("TILL_AUTH")} if token else {}
            yield McpServer("till", url=url, headers=headers, **TRUSTED), port  # type: ignore[arg-type]  # options of a test
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(SLOW_S) in {0, -signal.SIGTERM}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
async def test_over_http_a_token_opens_it(opened: Opened, folder: Path) -> None:
    with over_http(folder, token=WORD) as (server, port):
        await eventually(lambda: listens(port))
        wing = await opened(server, environ={"TILL_AUTH": f"Bearer {WORD}"})
        await wing.pin()
        assert "paid 5" in str(await wing.call("pay", {"euros": 5}))
        stranger = await opened(server, environ={"TILL_AUTH": "Bearer wrong"})
        with pytest.raises(McpFailure):
            await stranger.pin()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nothing_here",), "no module 'nothing_here'"),
        (("till", "--port", "1", "--host", "example.org"), "RELAYLINE_TOOLS_TOKEN must be set"),
        (("empty",), "empty has no tools"),
    ],
)
def test_what_can_not_be_served_is_said_in_one_line(
    folder: Path, words: tuple[str, ...], why: str
) -> None:
    (folder / "empty.py").write_text("")
    command = (RELAYLINE, "tools", "serve", *words)
    ended = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    assert ended.returncode == 1
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr
