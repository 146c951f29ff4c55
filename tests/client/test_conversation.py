"""A conversation on one connection: over a socket, or without one, and across the two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from relayline.client import Conflict, InvalidRequest, NotFound
from relayline.contracts.command_answers import CommandReceipt
from tests.api.conftest import api, api_temporal, journal, working
from tests.api.serving import Api, deltas, run_id
from tests.client.both import Caller

__all__ = ["api", "api_temporal", "journal", "working"]
COUNT = '{"rehearse": [{"tokens": 30, "every_ms": 5}]}'


class Between:
    """A proxy; it may let no WebSocket through, and can cut what is open."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.lets_sockets = True
        self.sockets = 0
        """Handshakes that came."""
        self.url = ""
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Cut all connections."""
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one connection, or refuse its handshake."""
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" in head.lower():
                self.sockets += 1
                if not self.lets_sockets:
                    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                    return
            upstream, answer = await asyncio.open_connection(self.api.host, self.api.port)
            answer.write(head)
            self._open.add(answer)
            await asyncio.gather(_pass(reader, answer), _pass(upstream, writer))
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(4096):
            writer.write(piece)
            await writer.drain()
    writer.close()


@pytest.fixture
async def between(api: Api) -> AsyncIterator[Between]:
    made = Between(api)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://{api.host}:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()
    made.cut()


@asynccontextmanager
async def talking(both: Caller, url: str, **how: Any) -> AsyncIterator[Any]:
    """An open conversation whose first turn is over."""
    async with both.open(url, **how) as client:
        run = await both.call(client.submit, "assistant", "2+2?", open=True)
        view = await both.call(run.get, wait_s=30)
        assert view.status == "idle"
        talk = await both.call(run.converse)
        yield talk
        await both.close(talk)
        with suppress(Conflict):
            await both.call(run.cancel)


async def said(both: Caller, talk: Any, text: str, **fields: Any) -> CommandReceipt:
    receipt: CommandReceipt = await both.call(talk.commands.message, text, **fields)
    return receipt


async def answered(both: Caller, talk: Any, receipt: CommandReceipt) -> list[str]:
    """The types of the events of the turn."""
    events = [it async for it in both.items(talk.turn(receipt.command_id))]
    assert [it.seq for it in events] == sorted({it.seq for it in events})
    assert events[0].type == "message.user"
    assert events[0].data["command_id"] == receipt.command_id
    return [it.type for it in events]


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_messages_and_answers_go_over_one_socket(between: Between, both: Caller) -> None:
    async with talking(both, between.url) as talk:
        for text in ("2+3?", COUNT):
            types = await answered(both, talk, await said(both, talk, text))
            assert types[-1] == "turn.completed"
            assert "message.delta" in types
        assert talk.on_socket
        assert between.sockets == 1
        same = await said(both, talk, "again", command_id="mine")
        assert await said(both, talk, "again", command_id="mine") == same
        with pytest.raises(InvalidRequest, match="mine"):
            await said(both, talk, "else", command_id="mine")
        assert (await answered(both, talk, same))[-1] == "turn.completed"


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_without_sockets_it_is_a_stream_and_requests(between: Between, both: Caller) -> None:
    between.lets_sockets = False
    async with talking(both, between.url) as talk:
        for text in ("2+3?", COUNT):
            types = await answered(both, talk, await said(both, talk, text))
            assert types[-1] == "turn.completed"
        assert not talk.on_socket
        assert between.sockets == 1


@pytest.mark.slow
@pytest.mark.usefixtures("working")
async def test_a_socket_that_is_cut_is_followed_by_another_without_a_gap(
    between: Between, both: Caller
) -> None:
    async with talking(both, between.url) as talk:
        seqs = []
        receipt = await said(both, talk, '{"rehearse": [{"tokens": 60, "every_ms": 20}]}')
        events = both.items(talk.turn(receipt.command_id))
        async for event in events:
            seqs.append(event.seq)
            if len(seqs) in {8, 20}:
                between.cut()
                between.lets_sockets = len(seqs) == 8  # the third way is a stream
        assert seqs == [*range(seqs[0], seqs[-1] + 1)]
        assert between.sockets == 3
        assert not talk.on_socket
        types = await answered(both, talk, await said(both, talk, "and?"))
        assert types[-1] == "turn.completed"


@pytest.mark.usefixtures("working")
async def test_the_end_of_the_run_ends_it(api: Api, both: Caller) -> None:
    async with talking(both, str(api.http.base_url)) as talk:
        await both.call(talk.commands.close)
        types = [it.type async for it in both.items(talk)]
        assert types[-1] == "run.completed"
        assert talk.ended
        again = await both.call(talk.run.converse, after=talk.cursor)
        assert [it async for it in both.items(again)] == []


async def test_an_unknown_run_is_told_as_over_http(api: Api, both: Caller) -> None:
    async with both.open(str(api.http.base_url)) as client:
        talk = await both.call(client.run(run_id()).converse, after=0)
        with pytest.raises(NotFound):
            [it async for it in both.items(talk)]
        with pytest.raises(NotFound):
            await said(both, talk, "hello")


async def test_commands_are_sent_while_somebody_reads(api: Api, both: Caller) -> None:
    async with both.open(str(api.http.base_url)) as client:
        run = await both.call(client.submit, "assistant", "hello", open=True)
        talk = await both.call(run.converse, after=0)
        source = both.items(talk)
        assert (await anext(source)).type == "run.queued"
        reading = asyncio.create_task(anext(source))
        for number in range(3):
            receipt = await said(both, talk, "more", command_id=f"m{number}")
            assert receipt.command_id == f"m{number}"
        await api.journal.append(run.id, deltas(1))
        assert (await reading).type == "message.delta"
        await both.close(talk)
