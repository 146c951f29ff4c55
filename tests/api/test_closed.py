"""What is sent to a client that has gone is dropped; a fault of our own is not."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from relayline.api.serving.closed import IgnoreClosed
from relayline.api.serving.server import listen


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({})(scope, receive, send)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a fault")


async def receive() -> Message:
    raise AssertionError("nothing is received")


async def gone_client() -> asyncio.WriteTransport:
    """The server's side of a connection that has closed."""
    listener = listen("127.0.0.1", 0)
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(writer)

    async with await asyncio.start_server(serve, sock=listener):
        _, client = await asyncio.open_connection(*listener.getsockname())
        transport = (await accepted).transport
        client.close()
        transport.abort()
        await asyncio.sleep(0.05)
    return transport


def test_an_answer_on_a_closed_connection_is_dropped_and_no_error() -> None:
    async def answer() -> None:
        transport = await gone_client()

        async def send(_: Message) -> None:
            transport.write(b"x")  # as uvicorn does

        scope: Scope = {"type": "http", "headers": []}
        with pytest.raises(RuntimeError, match="closed"):
            await answering(scope, receive, send)
        await IgnoreClosed(answering)(scope, receive, send)
        with pytest.raises(RuntimeError, match="a fault"):
            await IgnoreClosed(broken)(scope, receive, send)

    uvloop.run(answer())


def test_another_error_of_the_connection_is_raised() -> None:
    async def send(_: Message) -> None:
        raise RuntimeError("unforeseen")

    with pytest.raises(RuntimeError, match="unforeseen"):
        asyncio.run(IgnoreClosed(answering)({"type": "http", "headers": []}, receive, send))
