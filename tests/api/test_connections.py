"""Attacks on connections: endless heads, silence, hoards, and clients that read nothing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from relayline.api.app import serve
from relayline.api.serving.protocol import MAX_HEAD_BYTES, ConnectionLimits
from relayline.dev.ports import free_port
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.raw import Answer, answered, ask, head
from tests.api.serving import Api, deltas, ended_run, eventually, run_id, serving, started

PATIENCE_S = 0.8
LARGE = "/docs/swagger-ui-bundle.js"
BODY = b'{"agent": "nobody", "input": "x"}'
POST = head("POST", "/v1/runs", "Content-Type: application/json", f"Content-Length: {len(BODY)}")


@pytest.fixture(scope="module")
async def strict(no_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    """An API that waits for nobody."""
    bounds = ConnectionLimits(head_s=PATIENCE_S, body_s=PATIENCE_S, unread_s=PATIENCE_S)
    async with serving(Settings(), journal, no_temporal, bounds) as served:
        yield served


@pytest.mark.parametrize(
    "sent",
    [
        head("GET", "/healthz", "X: " + "a" * MAX_HEAD_BYTES),
        head("GET", "/healthz", *(f"X-{number}: a" for number in range(10_000))),
        head("GET", "/healthz?" + "a" * MAX_HEAD_BYTES),
        b"GET /healthz HTTP/1.1\r\nX: " + b"a" * (MAX_HEAD_BYTES + 5_000),
        b"GET /" + b"a" * (MAX_HEAD_BYTES + 5_000),
        b"GET /healthz HTTP/1.1\r\n" + b"X:\r\n" * MAX_HEAD_BYTES,
    ],
    ids=["value", "fields", "query", "value without end", "path without end", "head without end"],
)
async def test_a_large_head_is_refused_as_soon_as_it_is_too_large(
    lonely_api: Api, sent: bytes
) -> None:
    answer = await ask(lonely_api, sent)
    assert (answer.status, answer.problem) == (431, "head-too-large")
    assert answer.headers["connection"] == "close"


async def test_a_head_below_the_bound_and_a_body_above_it_are_taken(lonely_api: Api) -> None:
    large = head("GET", "/healthz", "X: " + "a" * (MAX_HEAD_BYTES - 100))
    assert (await ask(lonely_api, large)).status == 200
    body = b'{"agent": "nobody", "input": "' + b"x" * 200_000 + b'"}'
    told = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    reader, writer = await asyncio.open_connection(lonely_api.host, lonely_api.port)
    writer.write(head("POST", "/v1/runs", *told) + body + head("GET", "/healthz"))
    assert (await answered(reader)).problem == "unknown-agent"
    assert (await answered(reader)).status == 200, "the next one's head begins in the same piece"
    writer.close()


@pytest.mark.parametrize("sent", [b"NO\r\n\r\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"\0" * 99])
async def test_what_is_no_http_gets_a_problem_document(lonely_api: Api, sent: bytes) -> None:
    answer = await ask(lonely_api, sent)
    assert (answer.status, answer.problem) == (400, "bad-request")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "part"),
    [(b"", "head"), (b"GET /healthz HTTP/1.1\r\nX: ", "head"), (POST, "body"), (b"\r\n", "head")],
)
@pytest.mark.parametrize("drips", [False, True])
async def test_what_does_not_arrive_in_time_is_refused(
    strict: Api, first: bytes, part: str, drips: bool
) -> None:
    reader, writer = await asyncio.open_connection(strict.host, strict.port)
    writer.write(first)
    answering = asyncio.create_task(answered(reader))
    async with asyncio.timeout(8):
        while drips and not answering.done():  # a byte now and then buys no time
            writer.write(b"\n" if first == b"\r\n" else b"")
            await asyncio.sleep(0.1)
        answer = await answering
        assert await reader.read() == b""
    writer.close()
    assert (answer.status, answer.problem) == (408, "request-timeout")
    assert f'"field":"{part}"' in answer.body.decode().replace(" ", "")


@pytest.mark.slow
async def test_a_kept_connection_may_be_silent_between_requests_but_not_within_one(
    strict: Api,
) -> None:
    reader, writer = await asyncio.open_connection(strict.host, strict.port)
    for _ in range(2):
        writer.write(head("GET", "/healthz"))
        assert (await answered(reader)).status == 200
        await asyncio.sleep(1.5 * PATIENCE_S)
    writer.write(POST + BODY)
    assert (await answered(reader)).problem == "unknown-agent"
    await asyncio.sleep(1.5 * PATIENCE_S)
    writer.write(b"GET")
    async with asyncio.timeout(8):
        assert (await answered(reader)).status == 408
    writer.close()


async def opened(api: Api, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(api.host, api.port, local_addr=(address, 0))


async def test_an_address_holds_only_so_many_connections_and_others_are_served(
    no_temporal: Client, journal: SqliteJournal
) -> None:
    greedy, other, proxy = "127.0.0.2", "127.0.0.3", "127.0.0.4"
    bounds = ConnectionLimits(per_client=3, proxies=f"10.0.0.0/8, {proxy}")
    async with serving(Settings(), journal, no_temporal, bounds) as api:
        held = [await opened(api, greedy) for _ in range(3)]
        for _, writer in held:
            writer.write(head("GET", "/healthz"))
        assert [(await answered(reader)).status for reader, _ in held] == [200] * 3
        reader, refused = await opened(api, greedy)
        assert (await answered(reader)).problem == "too-many-connections"
        many = [*[await opened(api, other) for _ in range(3)]]
        many += [await opened(api, proxy) for _ in range(9)]
        for reader, writer in many:
            writer.write(head("GET", "/healthz"))
            assert (await answered(reader)).status == 200
        held[0][1].close()
        async with asyncio.timeout(8):
            while (again := await first_answer(api, greedy)).status == 429:
                await asyncio.sleep(0.05)
        assert again.status == 200
        for _, writer in [*held, *many, (reader, refused)]:
            writer.close()


async def first_answer(api: Api, address: str) -> Answer:
    reader, writer = await opened(api, address)
    try:
        writer.write(head("GET", "/healthz"))
        return await answered(reader)
    finally:
        writer.close()


async def test_the_setting_bounds_the_connections_of_a_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    port = free_port()
    settings = Settings(api_port=port, data_dir=tmp_path, max_connections_per_client=1)
    server = asyncio.create_task(serve(settings))
    try:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
        writer.write(head("GET", "/healthz"))
        assert (await answered(reader)).status == 200
        second, refused = await asyncio.open_connection("127.0.0.1", port)
        assert (await answered(second)).problem == "too-many-connections"
        writer.close()
        refused.close()
    finally:
        signal.raise_signal(signal.SIGTERM)
        await server


def asking(api: Api, sent: bytes, buffer_bytes: int) -> socket.socket:
    """A client with a buffer of that size, which has asked and read nothing yet."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    made.connect((api.host, api.port))
    made.sendall(sent)
    made.setblocking(False)
    return made


async def read(client: socket.socket, piece_bytes: int, pause_s: float = 0) -> bytes:
    """What the client gets until the connection ends, however it ends."""
    loop, got = asyncio.get_running_loop(), b""
    with client, contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(30):
            while piece := await loop.sock_recv(client, piece_bytes):
                got += piece
                await asyncio.sleep(pause_s)
    return got


@pytest.mark.slow
@pytest.mark.parametrize("fields", [(), ("Connection: close",)], ids=["kept", "closing"])
@pytest.mark.parametrize("asked", [1, 8])
async def test_an_answer_that_nobody_reads_is_dropped(
    strict: Api, fields: tuple[str, ...], asked: int
) -> None:
    whole = (await strict.http.get(LARGE)).content
    client = asking(strict, head("GET", LARGE, *fields) * asked, 4096)
    await asyncio.sleep(3 * PATIENCE_S)
    assert len(await read(client, 1 << 20)) < len(whole) / 2


@pytest.mark.slow
async def test_a_slow_reader_who_reads_gets_everything(strict: Api) -> None:
    whole = (await strict.http.get(LARGE)).content
    client = asking(strict, head("GET", LARGE, "Connection: close"), 65_536)
    assert (await read(client, 65_536, PATIENCE_S / 8)).endswith(whole)


@pytest.mark.slow
async def test_an_open_stream_is_no_unread_answer(strict: Api) -> None:
    run = run_id()
    await strict.journal.append(run, [started(), *deltas(3)])
    path = f"/v1/runs/{run}/events"
    reader, writer = await asyncio.open_connection(strict.host, strict.port)
    writer.write(head("GET", path, "Accept: text/event-stream"))
    await reader.readuntil(b"id: 4\n")
    await asyncio.sleep(3 * PATIENCE_S)
    await strict.journal.append(run, deltas(1))
    async with asyncio.timeout(8):
        await reader.readuntil(b"id: 5\n")
    writer.close()
    await eventually(lambda: strict.services.streams.open_count == 0)


async def test_http_1_0_gets_its_stream_without_chunks(lonely_api: Api) -> None:
    run = await ended_run(lonely_api.journal)
    path = f"/v1/runs/{run}/events"
    asked = head("GET", path, "Accept: text/event-stream", version="1.0")
    answer = await ask(lonely_api, asked)
    assert "transfer-encoding" not in answer.headers
    assert answer.headers["connection"] == "close"
    assert answer.body.startswith(b"retry: 1000\n\nid: 1\n")
    assert answer.body.endswith(b"}\n\n")
    page = await ask(lonely_api, head("GET", path, version="1.0"))
    assert int(page.headers["content-length"]) == len(page.body)
