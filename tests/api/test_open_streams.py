"""An open stream outlives its request, and is an ordinary answer to its client all the same."""

from __future__ import annotations

import asyncio
import gc

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from relayline.api.serving.metrics import Metrics
from relayline.api.serving.server import Server, listen
from relayline.api.streams.sse import Streams
from relayline.api.streams.subscriber import Subscriber
from tests.api.raw import head
from tests.api.serving import Api, completed, deltas, eventually, run_id, started

STREAMS = 20


def _requests() -> int:
    """Requests in memory."""
    gc.collect()
    return sum(isinstance(it, Request) for it in gc.get_objects())


async def _open(api: Api, run: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream of the run, its head and first event read."""
    reader, writer = await asyncio.open_connection(api.host, api.port)
    writer.write(head("GET", f"/v1/runs/{run}/events", "Accept: text/event-stream"))
    async with asyncio.timeout(20):
        await reader.readuntil(b"event: run.started")
    return reader, writer


@pytest.mark.slow
async def test_an_idle_stream_holds_one_task_and_nothing_of_its_request(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started()])
    before = len(asyncio.all_tasks())
    streams = [await _open(api, run) for _ in range(STREAMS)]
    followed = 1 + 1 + 1  # the run, the watchdog, the streams' ticker
    await eventually(lambda: len(asyncio.all_tasks()) <= before + followed + STREAMS)
    assert _requests() == 0
    await api.journal.append(run, deltas(3))
    for reader, writer in streams:
        async with asyncio.timeout(20):
            await reader.readuntil(b"id: 4\n")
        writer.close()
    await api.quiet()


async def test_a_request_sent_behind_a_stream_is_answered_after_it(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started()])
    reader, writer = await _open(api, run)
    writer.write(head("GET", f"/v1/runs/{run}/events"))
    await api.journal.append(run, deltas(1))
    async with asyncio.timeout(20):
        await reader.readuntil(b"id: 2\n")
        await api.journal.append(run, [completed()])
        assert (await reader.readuntil(b"\r\n0\r\n\r\n")).count(b"id: ") == 1
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        assert b'"seq":3' in await reader.readuntil(b'"ended":true}')
    writer.write(head("GET", "/healthz"))  # the connection is kept
    async with asyncio.timeout(20):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await api.quiet()


async def test_a_client_that_leaves_with_a_request_behind_its_stream_leaves_nothing(
    api: Api,
) -> None:
    run = run_id()
    await api.journal.append(run, [started()])
    _, writer = await _open(api, run)
    writer.write(head("GET", f"/v1/runs/{run}/events"))
    await writer.drain()
    await api.journal.append(run, deltas(1))
    writer.transport.abort()
    await api.journal.append(run, [*deltas(2), completed()])
    await api.quiet()


class Broken(Subscriber):
    """A source that works at first."""

    def __init__(self) -> None:
        super().__init__()
        self.chunks: list[bytes] = [b"data: whole\n\n", b""]
        self.left = 0

    async def next_chunk(self) -> bytes | None:
        return self.chunks.pop(0)

    def leave(self) -> None:
        self.left += 1


async def test_a_stream_that_fails_later_is_told_dropped_and_released(
    caplog: pytest.LogCaptureFixture,
) -> None:
    streams = Streams(Metrics(), per_client=5, heartbeat_s=60, send_timeout_s=60)
    source = Broken()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        slot = await streams.reserve(Request(scope))
        await streams.respond(source, slot)(scope, receive, send)

    listener = listen("127.0.0.1", 0)
    server = Server(app, streams.close)
    task = asyncio.create_task(server.serve([listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(head("GET", "/"))
    async with asyncio.timeout(20):
        await reader.readuntil(b"data: whole")
        await eventually(lambda: not source.chunks)
        source.wake()
        await reader.readuntil(b"\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readuntil(b"0\r\n\r\n")
    assert (source.left, streams.open_count, streams.slots_taken) == (1, 0, 0)
    assert [record.message for record in caplog.records if record.exc_info] == ["a stream failed"]
    writer.close()
    server.should_exit = True
    await task
    listener.close()
