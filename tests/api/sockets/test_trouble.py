"""Sockets of clients that read nothing or are gone, and of a server that stops."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket as sockets

import pytest
from temporalio.client import Client
from websockets.exceptions import ConnectionClosed

from relayline.api.streams.viewer import Viewer
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.serving import Api, completed, deltas, eventually, run_id, serving, started
from tests.api.sockets.speaking import socket


async def silent(api: Api, run: str) -> sockets.socket:
    """A connection that has done the handshake and reads nothing more."""
    made = sockets.socket()
    made.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    made.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, (api.host, api.port))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET /v1/runs/{run}/socket HTTP/1.1",
        f"Host: {api.host}:{api.port}",
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Protocol: relayline.v1",
    ]
    await loop.sock_sendall(made, "\r\n".join([*lines, "", ""]).encode())
    head = await loop.sock_recv(made, 1024)
    assert head.startswith(b"HTTP/1.1 101")
    return made


async def test_a_client_that_reads_nothing_is_closed_and_holds_up_nobody(
    no_temporal: Client, journal: SqliteJournal
) -> None:
    settings = Settings(send_timeout_s=1)
    run = run_id()
    await journal.append(run, [started()])
    async with serving(settings, journal, no_temporal) as api:
        stuck = await silent(api, run)
        await api.opened(1)
        async with socket(api, run) as reader:
            await journal.append(run, deltas(300, 20_000))
            while len(reader.events) < 301:
                await reader.read()
            await api.opened(1)  # the other one is gone
            await journal.append(run, [completed()])
            assert (await reader.closed())[0] == 1000
        stuck.close()
        await api.quiet()


@pytest.mark.slow
async def test_a_slow_reader_that_reads_is_not_dropped_and_misses_nothing(
    no_temporal: Client, journal: SqliteJournal
) -> None:
    run = run_id()
    await journal.append(run, [started(), *deltas(300, 20_000), completed()])
    async with (
        serving(Settings(send_timeout_s=2), journal, no_temporal) as api,
        socket(api, run, max_queue=1) as slow,
    ):
        for _ in range(200):
            await slow.read()
            await asyncio.sleep(0.015)
        assert await slow.closed() == (1000, "run-ended after=302")
        assert [it["seq"] for it in slow.events] == [*range(1, 303)]


async def test_a_peer_that_answers_no_ping_is_dropped(
    no_temporal: Client, journal: SqliteJournal
) -> None:
    run = run_id()
    await journal.append(run, [started()])
    settings = Settings(heartbeat_s=0.2, send_timeout_s=1)
    async with serving(settings, journal, no_temporal) as api, socket(api, run) as alive:
        gone = await silent(api, run)
        await api.opened(2)
        await api.opened(1)
        await alive.until("run.started")
        await journal.append(run, [completed()])
        assert (await alive.closed())[0] == 1000
        gone.close()


async def test_a_proxy_that_cuts_silent_connections_sees_pings(
    no_temporal: Client, journal: SqliteJournal
) -> None:
    run = run_id()
    await journal.append(run, [started()])
    pings = 0
    async with serving(Settings(heartbeat_s=0.2), journal, no_temporal) as api:
        peer = await silent(api, run)
        got = b""
        async with asyncio.timeout(60):
            while pings < 3:
                got += await asyncio.get_running_loop().sock_recv(peer, 4096)
                pings = got.count(b"\x89\x00")
        peer.close()


async def test_a_stopping_server_says_come_back_and_the_cursor_continues(
    no_temporal: Client, journal: SqliteJournal
) -> None:
    run = run_id()
    await journal.append(run, [started(), *deltas(5)])
    async with serving(Settings(), journal, no_temporal) as api, socket(api, run) as speaker:
        while len(speaker.events) < 6:
            await speaker.read()
        stopping = asyncio.create_task(api.services.close_streams())
        assert await speaker.closed() == (1012, "come-back after=6")
        await stopping
    await journal.append(run, [completed()])
    async with serving(Settings(), journal, no_temporal) as api:
        async with socket(api, run, "?after=6") as speaker:
            assert (await speaker.closed())[0] == 1000
        assert [it["seq"] for it in speaker.events] == [7]


async def test_a_client_that_vanishes_leaves_nothing(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started()])
    gone = await silent(api, run)
    await api.opened(1)
    gone.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    gone.close()
    await api.quiet()


async def test_the_connections_of_a_client_are_counted_and_forgotten(
    no_temporal: Client, journal: SqliteJournal
) -> None:
    run = run_id()
    await journal.append(run, [started()])
    settings = Settings(max_streams_per_client=2)
    async with serving(settings, journal, no_temporal) as api:
        async with socket(api, run), socket(api, run):
            await api.opened(2)
            async with socket(api, run) as third:
                assert await third.closed() == (4429, "too-many-streams")
        await api.quiet()
        for _ in range(5):
            async with socket(api, run) as again:
                await again.until("run.started")
        await api.quiet()


async def test_losses_are_told_and_close_it(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started()])
    async with socket(api, run) as speaker:
        await speaker.until("run.started")
        [channel] = {it.channel for it in _watched(api)}
        channel.loss = b'id:\nevent: events.lost\ndata: {"type": "events.lost"}\n\n'
        channel.wake_all()
        assert await speaker.closed() == (1012, "come-back after=1")
        assert speaker.events[-1] == {"type": "events.lost"}


async def test_commands_of_a_client_that_reads_no_answers_wait(api: Api) -> None:
    """They fill the connection and nothing else."""
    answer = await api.http.post(
        "/v1/runs", json={"agent": "assistant", "input": "hello", "open": True}
    )
    run = answer.json()["run_id"]
    async with socket(api, run) as speaker:
        frame = json.dumps({"command": "pause", "command_id": "a", "x": "y" * 100_000})
        try:
            for _ in range(20):
                await speaker.connection.send(frame)
        except ConnectionClosed:  # pragma: no cover
            pytest.fail("the socket was closed")
        for _ in range(20):
            assert (await speaker.answer())["problem"]["field"] == "x"
    await eventually(lambda: api.services.streams.open_count == 0)


def _watched(api: Api) -> list[Viewer]:
    """What the open sockets show."""
    sources = [it.source for it in api.services.streams._open]  # noqa: SLF001
    return [it for it in sources if isinstance(it, Viewer)]
