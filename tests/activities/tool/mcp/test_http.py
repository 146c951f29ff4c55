"""The same over streamable HTTP: a real server behind a port, and servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relayline.activities.tool.mcp.port import McpFailure, OutcomeUnknown
from relayline.catalog.servers.mcp import Env, McpServer
from relayline.dev.ports import free_port
from tests.activities.tool.mcp.conftest import ODD, SLOW_S, Opened, Told, eventually, words

Answer = Callable[[bytes], Awaitable[bytes]]
TOOLS = [{"name": "act", "inputSchema": {"type": "object"}}]


@asynccontextmanager
async def odd_http(folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The odd server behind that port."""
    env = {**os.environ, "ODD_FOLDER": str(folder)}
    process = await asyncio.create_subprocess_exec(*ODD, str(port), env=env)
    try:
        async with asyncio.timeout(SLOW_S):
            while not await listens(port):
                await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.mark.slow
async def test_a_server_behind_a_url(opened: Opened, tmp_path: Path) -> None:
    port = free_port()
    server = McpServer("odd", url=f"http://127.0.0.1:{port}/mcp", trusted=True, connect_s=SLOW_S)
    async with odd_http(tmp_path, port):
        wing = await opened(server)
        await wing.pin()
        told = Told()
        assert await wing.call("count", {"to": 3}, told) == "counted to 3"
        assert told.lines[-1] == ("3/3", 1.0)
        call = asyncio.create_task(wing.call("wait", {"seconds": 600}))
        await eventually(lambda: words(tmp_path, "waiting") == 1)
        call.cancel()
        await asyncio.wait({call})
        assert call.cancelled()
        await eventually(lambda: words(tmp_path, "cancelled") == 1)
        with pytest.raises(McpFailure, match=r"more than 8388608 bytes|exceed"):
            await wing.call("large", {"megabytes": 100})
        assert await wing.call("count", {"to": 1}) == "counted to 1"


@pytest.mark.slow
async def test_a_server_behind_a_url_that_dies(opened: Opened, tmp_path: Path) -> None:
    port = free_port()
    server = McpServer("odd", url=f"http://127.0.0.1:{port}/mcp", trusted=True, connect_s=SLOW_S)
    async with odd_http(tmp_path, port) as process:
        wing = await opened(server)
        await wing.pin()
        safe = asyncio.create_task(wing.call("wait", {"seconds": 600}))
        await eventually(lambda: words(tmp_path, "waiting") == 1)
        with pytest.raises(OutcomeUnknown):
            await wing.call("die")
        with pytest.raises(McpFailure) as lost:
            await safe
        assert lost.value.retryable, "it must not read as a cancel of the call"
        await process.wait()
    with pytest.raises(McpFailure, match="did not") as down:
        await wing.call("shape", {"side": 1})
    assert not isinstance(down.value, OutcomeUnknown), "it was never sent"
    async with odd_http(tmp_path, port):
        assert await wing.call("count", {"to": 1}) == "counted to 1"
    assert wing.servers.state("odd").last_error == ""


@asynccontextmanager
async def behind(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An HTTP server that answers each request with these bytes, and what it was sent."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            sizes = [it for it in head.lower().split(b"\r\n") if it.startswith(b"content-length")]
            body = await reader.readexactly(int(sizes[0].split(b":")[1])) if sizes else b""
            seen.append(head + body)
            writer.write(await answer(body))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp", seen
    finally:
        server.close()


def json_answer(body: object, status: str = "200 OK", more: str = "") -> bytes:
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}connection: close\r\n"
    return head.encode() + f"content-length: {len(text)}\r\n\r\n".encode() + text


def modern(act: Callable[[dict[str, object]], bytes], tools: Sequence[object] = TOOLS) -> Answer:
    """A modern server with these tools, whose calls are answered by `act`."""

    async def answer(body: bytes) -> bytes:
        asked = json.loads(body)
        results: dict[str, dict[str, object]] = {
            "server/discover": {
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
                "ttlMs": 0,
                "cacheScope": "private",
                "resultType": "complete",
            },
            "tools/list": {
                "tools": tools,
                "ttlMs": 0,
                "cacheScope": "private",
                "resultType": "complete",
            },
        }
        if asked["method"] == "tools/call":
            return act(asked)
        return json_answer(
            {"jsonrpc": "2.0", "id": asked["id"], "result": results[asked["method"]]}
        )

    return answer


def result_of(asked: dict[str, object], result: dict[str, object]) -> bytes:
    return json_answer({"jsonrpc": "2.0", "id": asked["id"], "result": result})


ENDLESS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
UNSAFE = [
    ("closed", b"", OutcomeUnknown, "may or may not have run"),
    ("cut off", ENDLESS + b'{"jsonrpc":', OutcomeUnknown, "may or may not have run"),
    ("endless", ENDLESS + b" " * 9 * 1024 * 1024, OutcomeUnknown, "more than 8388608 bytes"),
    ("500", json_answer({}, "500 Oh").replace(b"json", b"text"), OutcomeUnknown, "HTTP 500"),
    ("401", b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", McpFailure, "HTTP 401"),
    ("429", b"HTTP/1.1 429 No\r\ncontent-length: 0\r\n\r\n", McpFailure, "did not run it"),
    (
        "elsewhere",
        b"HTTP/1.1 307 No\r\nlocation: http://127.0.0.2:1/\r\ncontent-length: 0\r\n\r\n",
        McpFailure,
        "not followed",
    ),
    (
        "zipped",
        ENDLESS.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n") + b"x",
        OutcomeUnknown,
        "compressed",
    ),
]


@pytest.mark.parametrize(
    ("answer", "kind", "text"), [it[1:] for it in UNSAFE], ids=[it[0] for it in UNSAFE]
)
async def test_an_unsafe_call_that_is_answered_badly(
    opened: Opened, answer: bytes, kind: type[McpFailure], text: str
) -> None:
    async with behind(modern(lambda _: answer)) as (url, _):
        wing = await opened(McpServer("bad", url=url, connect_s=SLOW_S))
        await wing.pin()
        with pytest.raises(McpFailure, match=text) as failed:
            await wing.call("act")
        assert type(failed.value) is kind


async def test_a_server_of_another_version_is_met_half_way(opened: Opened) -> None:
    newer = modern(lambda asked: result_of(asked, {"content": [], "resultType": "complete"}))
    refused = False

    async def answer(body: bytes) -> bytes:
        nonlocal refused
        if refused:
            return await newer(body)
        refused = True
        data = {"supported": ["2026-07-28"], "requested": "2026-07-28"}
        error = {"code": -32022, "message": "not that one", "data": data}
        answered = {"jsonrpc": "2.0", "id": json.loads(body)["id"], "error": error}
        return json_answer(answered, "400 Bad Request")

    async with behind(answer) as (url, _):
        wing = await opened(McpServer("new", url=url, connect_s=SLOW_S))
        await wing.pin()
        assert await wing.call("act") == ""
        assert wing.servers.state("new").era == "modern"


async def test_the_rest_of_a_long_list_is_not_read(opened: Opened) -> None:
    many = [{"name": f"act_{number}", "inputSchema": {"type": "object"}} for number in range(300)]
    async with behind(modern(lambda _: b"", many)) as (url, _):
        wing = await opened(McpServer("many", url=url, connect_s=SLOW_S))
        listing = await wing.pin()
    assert len(listing.tools) == 256
    [rest] = listing.left_out
    assert "longer than 256 tools" in rest.reason


async def test_headers_are_sent_and_never_told_and_no_proxy_is_used(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9/")

    def echo(asked: dict[str, object]) -> bytes:
        error = {"code": -32602, "message": "bad key Bearer very-secret-word"}
        return json_answer({"jsonrpc": "2.0", "id": asked["id"], "error": error})

    async with behind(modern(echo)) as (url, seen):
        headers = {"Authorization": Env("DOCS_AUTH")}
        given = {"DOCS_AUTH": "Bearer very-secret-word"}
        server = McpServer("docs", url=url, headers=headers, connect_s=SLOW_S)
        wing = await opened(server, environ=given)
        await wing.pin()
        with pytest.raises(McpFailure, match="refused: bad key") as failed:
            await wing.call("act")
        assert "very-secret-word" not in str(failed.value)
        assert not failed.value.retryable
        assert all(b"Bearer very-secret-word" in it for it in seen)


@pytest.mark.slow
async def test_a_server_that_is_down_is_left_alone(opened: Opened) -> None:
    wing = await opened(McpServer("down", url=f"http://127.0.0.1:{free_port()}/mcp"))
    messages: list[str] = []
    async with asyncio.timeout(SLOW_S):
        while not messages or "is down" not in messages[-1]:
            with pytest.raises(McpFailure) as failed:
                await wing.pin()
            assert failed.value.retryable
            messages.append(str(failed.value))
            await asyncio.sleep(0.3)
    assert 5 <= len(messages) <= 30
    assert "can't be reached" in messages[-1]
    assert wing.servers.state("down").open_s > 0


@pytest.mark.slow
async def test_a_server_stopped_in_the_middle_is_given_up(opened: Opened, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    server = McpServer("odd", url=url, connect_s=3, timeout_s=4, trusted=True)
    async with odd_http(tmp_path, port) as process:
        wing = await opened(server)
        await wing.pin()
        process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(McpFailure, match="did not answer in time") as late:
                await wing.call("count", {"to": 1})
            assert late.value.retryable
        finally:
            process.send_signal(signal.SIGCONT)
        assert await wing.call("count", {"to": 1}) == "counted to 1"
