"""Public servers of both eras, unmodified: Python's by stdio, Node's by stdio and HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relayline.activities.tool.mcp.pool import Pool
from relayline.activities.tool.mcp.port import McpFailure, OutcomeUnknown
from relayline.catalog.servers.mcp import McpServer, Override
from relayline.dev.ports import free_port
from tests.activities.tool.mcp.conftest import SLOW_S, Opened, Told, Wing, eventually
from tests.activities.tool.mcp.installed import node_server, sqlite_server
from tests.activities.tool.mcp.processes import alive, below, ours
from tests.activities.tool.mcp.test_http import listens

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first test installs servers
READS = ("safe", "never")
GIT = {  # when trusted: effects, approval
    "git_status": READS,
    "git_diff_unstaged": READS,
    "git_diff_staged": READS,
    "git_diff": READS,
    "git_log": READS,
    "git_show": READS,
    "git_branch": READS,
    "git_add": ("safe", "never"),
    "git_commit": ("unsafe", "never"),
    "git_create_branch": ("unsafe", "never"),
    "git_checkout": ("unsafe", "never"),
    "git_reset": ("safe", "always"),
}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


def program(name: str) -> tuple[str, ...]:
    return (str(Path(sys.prefix) / "bin" / name),)


def known(name: str, command: tuple[str, ...], **options: object) -> McpServer:
    given = {"connect_s": SLOW_S, "trusted": True, **options}
    return McpServer(name, command=command, **given)  # type: ignore[arg-type]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for key, value in {"name": "A", "email": "a@example.com"}.items():
        subprocess.run(["git", "-C", str(folder), "config", f"user.{key}", value], check=True)
    (folder / "a.txt").write_text("a\n")
    return folder


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
async def test_effects_and_approvals_of_git(
    opened: Opened, repository: Path, trusted: bool
) -> None:
    command = (*program("mcp-server-git"), "--repository", str(repository))
    said = Override(effects="safe", approval="never", timeout_s=7, retries=0)
    overrides = {"git_show": said}
    wing = await opened(known("git", command, trusted=trusted, overrides=overrides))
    listing = await wing.pin()
    found = {it.tool: (it.spec.effects, it.spec.approval) for it in listing.tools}
    expected = GIT if trusted else dict.fromkeys(GIT, ("unsafe", "always")) | {"git_show": READS}
    assert found == expected
    shown = wing.tools["git_show"].spec
    assert (shown.timeout_s, shown.retries) == (7, 0)
    assert shown.name == "git_git_show"


async def test_git_works(opened: Opened, repository: Path) -> None:
    command = (*program("mcp-server-git"), "--repository", str(repository))
    wing = await opened(known("git", command, tools=("git_[acs]*",)))
    await wing.pin()
    assert "git_log" not in wing.tools
    where = {"repo_path": str(repository)}
    await wing.call("git_add", {**where, "files": ["a.txt"]})
    await wing.call("git_commit", {**where, "message": "first"})
    assert "nothing to commit" in await wing.call("git_status", where)
    with pytest.raises(McpFailure) as refused:
        await wing.call("git_status", {"repo_path": "/"})
    assert not refused.value.retryable


async def test_time_gives_texts_and_refuses_a_bad_zone(opened: Opened) -> None:
    wing = await opened(known("time", program("mcp-server-time")))
    listing = await wing.pin()
    assert {it.spec.effects for it in listing.tools} == {"safe"}
    assert "Europe/Paris" in await wing.call("get_current_time", {"timezone": "Europe/Paris"})
    with pytest.raises(McpFailure, match="zone") as refused:
        await wing.call("get_current_time", {"timezone": "Nowhere/At_all"})
    assert not refused.value.retryable
    assert wing.servers.state("time").era == "modern"


async def test_fetch_refuses_this_machine(opened: Opened) -> None:
    wing = await opened(known("fetch", program("mcp-server-fetch")))
    await wing.pin()
    with pytest.raises(McpFailure) as refused:
        await wing.call("fetch", {"url": "http://127.0.0.1:1/"})
    assert not refused.value.retryable


async def test_filesystem_is_legacy_and_has_a_connection_for_each_run(
    opened: Opened, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("hello\n")
    wing = await opened(known("files", (*node_server("filesystem"), str(folder))))
    await wing.pin()
    assert wing.servers.state("files").era == "legacy"
    assert "hello" in await wing.call("read_text_file", {"path": str(folder / "a.txt")})
    with pytest.raises(McpFailure, match=r"(?i)denied|outside"):
        await wing.call("read_text_file", {"path": "/etc/passwd"})
    picture, size = folder / "a.png", len(b64decode(PIXEL))
    picture.write_bytes(b64decode(PIXEL))
    shown = await wing.call("read_media_file", {"path": str(picture)})
    assert f"[image/png, {size} bytes, not shown]" in shown
    assert PIXEL not in shown
    await wing.call("read_text_file", {"path": str(folder / "a.txt")}, Told("run_2"))
    assert len(ours(str(folder))) == 2
    await wing.servers.forget("run_2")
    assert len(ours(str(folder))) == 1


async def test_memory_keeps_its_state(opened: Opened, tmp_path: Path) -> None:
    env = {"MEMORY_FILE_PATH": str(tmp_path / "memory.json")}
    wing = await opened(known("memory", node_server("memory"), env=env))
    await wing.pin()
    tea = {"name": "tea", "entityType": "drink", "observations": ["hot"]}
    await wing.call("create_entities", {"entities": [tea]})
    await wing.servers.forget("run_1")
    assert "hot" in await wing.call("read_graph")


async def test_runs_do_not_pile_up_processes_of_a_legacy_server(tmp_path: Path) -> None:
    env = {"MEMORY_FILE_PATH": str(tmp_path / "memory.json")}
    command = node_server("memory")
    pool = Pool(known("memory", command, env=env), {}, most=2)
    try:
        async with pool.connection("run_1"), pool.connection("run_2"):
            with pytest.raises(McpFailure, match=r"all 2 connections .* are in use") as full:
                async with pool.connection("run_3"):
                    pass
            assert full.value.retryable
        async with pool.connection("run_2"):
            pass
        async with pool.connection("run_3"), pool.connection("run_2"):
            assert len(ours(command[-1])) == 2
    finally:
        await pool.close()
    assert not ours(command[-1])


@asynccontextmanager
async def everything_http(port: int) -> AsyncIterator[None]:
    """That server behind that port, with an environment of its own."""
    env = {"PATH": os.environ["PATH"], "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        *node_server("everything"), "streamableHttp", env=env, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(SLOW_S):
            while not await listens(port):
                await asyncio.sleep(0.05)
        yield
    finally:
        process.kill()
        await process.wait()


async def test_everything(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY_OF_OURS", "sk-provider")
    await everything(await opened(known("all", (*node_server("everything"), "stdio"))))


async def test_everything_over_http_and_again_after_a_restart(opened: Opened) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    wing = await opened(McpServer("all", url=url, connect_s=SLOW_S, trusted=True))
    async with everything_http(port):
        await everything(wing)
    async with everything_http(port):
        with pytest.raises(McpFailure) as forgotten:  # it does not know the session any more
            await wing.call("echo", {"message": "hi"})
        assert forgotten.value.retryable, "it did not run"
        assert await wing.call("echo", {"message": "hi"}) == "Echo: hi"
        await wing.servers.close()


async def everything(wing: Wing) -> None:
    """What that server has."""
    listing = await wing.pin()
    names = [it.tool for it in listing.tools]
    assert not [it for it in names if "licit" in it or "sampl" in it], "we declare neither"
    assert await wing.call("echo", {"message": "hi"}) == "Echo: hi"
    assert "12" in await wing.call("get-sum", {"a": 5, "b": 7})
    assert "not shown]" in await wing.call("get-tiny-image")
    assert "temperature" in await wing.call("get-structured-content", {"location": "Chicago"})
    told = Told()
    await wing.call("trigger-long-running-operation", {"duration": 1, "steps": 4}, told)
    assert told.lines[-1][1] == 1.0
    variables = await wing.call("get-env")
    assert "PATH" in variables
    assert "sk-provider" not in variables


async def test_a_node_server_with_a_call_under_way_ends_with_its_worker(tmp_path: Path) -> None:
    command = (*node_server("everything"), "stdio")
    code = f"""
import asyncio
from tests.activities.tool.mcp.conftest import wing
from relayline.catalog.servers.mcp import McpServer
async def main():
    async with wing(McpServer("all", command={command!r}, connect_s=60, timeout_s=600)) as one:
        await one.pin()
        call = asyncio.create_task(
            one.call("trigger-long-running-operation", {{"duration": 600, "steps": 600}}))
        await asyncio.sleep(1)
        print("ready", flush=True)
        await call
asyncio.run(main())
"""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout
    assert await worker.stdout.readline() == b"ready\n"
    [server] = below(worker.pid)
    worker.kill()
    await worker.wait()
    await eventually(lambda: not alive(server))


async def test_a_server_without_hints_is_unsafe_and_its_rows_never_double(
    opened: Opened, tmp_path: Path
) -> None:
    command = (*sqlite_server(), "--db-path", (db := str(tmp_path / "a.db")))
    overrides = {"write_query": Override(timeout_s=30)}
    wing = await opened(known("sqlite", command, overrides=overrides))
    listing = await wing.pin()
    assert len(listing.tools) == 6
    assert {(it.spec.effects, it.spec.approval) for it in listing.tools} == {("unsafe", "always")}
    assert wing.servers.state("sqlite").era == "legacy"
    await wing.call("create_table", {"query": "CREATE TABLE rows (n INTEGER)"})
    insert = {"query": "INSERT INTO rows VALUES (1)"}
    for _ in range(3):
        await wing.call("write_query", insert)
        call = asyncio.create_task(wing.call("write_query", insert))
        await asyncio.sleep(0.001)
        for pid in ours(db):
            os.kill(pid, signal.SIGKILL)
        await asyncio.wait({call})
        ended = call.exception() or call.result()
        assert isinstance(ended, OutcomeUnknown | str) or "can't be reached" in str(ended)
        await eventually(lambda: wing.servers.state("sqlite").connections == len(ours(db)))
    counted = await wing.call("read_query", {"query": "SELECT count(*) AS n FROM rows"})
    assert 3 <= int("".join(filter(str.isdigit, str(counted)))) <= 6


async def test_a_run_that_has_ended_leaves_its_call_the_connection(
    opened: Opened, tmp_path: Path
) -> None:
    file = tmp_path / "a.db"
    wing = await opened(known("sqlite", (*sqlite_server(), "--db-path", str(file))))
    await wing.pin()
    await wing.call("create_table", {"query": "CREATE TABLE rows (n INTEGER)"})
    [pid] = ours(str(file))
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    insert = {"query": "INSERT INTO rows VALUES (1)"}
    call = asyncio.create_task(wing.call("write_query", insert))
    await eventually(lambda: any(it.resolve() == file for it in Path(f"/proc/{pid}/fd").iterdir()))
    await wing.servers.forget("run_1")
    assert alive(pid)
    db.execute("ROLLBACK")
    db.close()
    assert "affected_rows" in str(await call)
    await eventually(lambda: not alive(pid))


async def test_a_server_with_the_wrong_sdk_says_that_it_ended(opened: Opened) -> None:
    program = "raise ImportError('cannot import name')"
    wing = await opened(known("old", (sys.executable, "-c", program)))
    with pytest.raises(McpFailure, match="'old' can't be reached: it ended with exit code 1"):
        await wing.pin()
