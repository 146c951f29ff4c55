"""What providers really send, over real HTTP: each oddity has one right meaning."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from relayline.activities.model.port import ModelProvider, ProviderError
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from tests.activities.model.providers.asking import (
    ask,
    calls_of,
    finish_of,
    prompt,
    text_of,
    thoughts_of,
)
from tests.activities.model.providers.wire.brothers import BROTHERS
from tests.activities.model.providers.wire.calls import CALLS
from tests.activities.model.providers.wire.endings import ENDINGS
from tests.activities.model.providers.wire.errors import ERRORS
from tests.activities.model.providers.wire.noise import NOISE
from tests.activities.model.providers.wire.odd import Odd, raw
from tests.activities.model.providers.wire.usages import USAGES

pytestmark = pytest.mark.slow

TABLE = [*ENDINGS, *ERRORS, *CALLS, *USAGES, *NOISE, *BROTHERS]


class Odds:
    """A server that sends the bytes of one row to whoever asks."""

    def __init__(self) -> None:
        self.row = TABLE[0]
        self.asked = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            self.asked += 1
            row = self.row
            kind = row.content_type.encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nconnection: close\r\n\r\n" % kind)
            for piece in raw(row.body):
                writer.write(piece)
            await writer.drain()
            if row.ends == "open":
                await asyncio.sleep(30)
            if row.ends == "reset":
                await asyncio.sleep(0.05)  # else what was written may be lost, too
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
        writer.close()


@pytest.fixture(scope="module")
async def odds() -> AsyncIterator[tuple[Odds, ModelProvider]]:
    odds = Odds()
    server = await asyncio.start_server(odds.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    providers = provider_for(ProviderConfig(compatible_base_url=url, idle_s=5))
    yield odds, providers("compatible:odd")
    await providers.aclose()
    server.close()


def test_table_is_long_enough_and_each_row_is_itself() -> None:
    assert len(TABLE) >= 120
    assert len({(row.name, str(row.body)) for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
async def test_answer_is_what_the_provider_said(odds: tuple[Odds, ModelProvider], row: Odd) -> None:
    server, provider = odds
    server.row, server.asked = row, 0
    if row.error:
        with pytest.raises(ProviderError) as caught:
            await ask(provider, prompt("hi"))
        assert row.error in str(caught.value)
        assert caught.value.retryable is not row.final
        return
    parts = await ask(provider, prompt("hi"))
    finish = finish_of(parts)
    assert (text_of(parts), thoughts_of(parts)) == (row.text, row.thoughts)
    assert [(it.name, it.arguments) for it in calls_of(parts)] == row.calls
    assert finish.reason == row.reason
    if row.usage:
        assert (finish.usage.input_tokens, finish.usage.output_tokens) == row.usage
    if row.estimated is not None:
        assert finish.usage.estimated is row.estimated
    assert finish.usage.input_tokens > 0
    assert server.asked == 1
