"""What Claude, OpenAI and Gemini, or servers that imitate them, say beside an answer: over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from relayline.activities.model.port import ProviderError
from relayline.activities.model.providers.factory import ProviderConfig, Providers, provider_for
from tests.activities.model.providers.asking import (
    ask,
    calls_of,
    finish_of,
    prompt,
    text_of,
    thoughts_of,
)
from tests.activities.model.providers.wire.claudes import CLAUDES
from tests.activities.model.providers.wire.geminis import GEMINIS
from tests.activities.model.providers.wire.openais import OPENAIS
from tests.activities.model.providers.wire.said import Said
from tests.activities.model.providers.wire.test_kept import CLAUDE, GEMINI

MOVED = Said("moved", CLAUDE, b"", error="302", final=True, status="302 Found")
TABLE = [*CLAUDES, *OPENAIS, *GEMINIS, MOVED, MOVED._replace(model=GEMINI, name="Gemini moved")]


class Server:
    """Answers whoever asks with the bytes of one row."""

    row = TABLE[0]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
        status = f"HTTP/1.1 {self.row.status}\r\nconnection: close\r\n".encode()
        writer.write(status + b"content-type: text/event-stream\r\n\r\n" + self.row.body)
        await writer.drain()
        writer.close()


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[tuple[Server, Providers]]:
    made = Server()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.MonkeyPatch.context() as patched:
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
            patched.setenv(name, "sk-pretended")
        for name in ("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
            patched.setenv(name, url)
        patched.setenv("OPENAI_BASE_URL", url + "/v1")
        providers = provider_for(ProviderConfig(idle_s=5))
        yield made, providers
        await providers.aclose()
    server.close()


@pytest.mark.filterwarnings("ignore:.*is not a valid FinishReason")
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.model.partition(':')[0]}: {row.name}")
async def test_answer_is_what_the_provider_said(
    served: tuple[Server, Providers], row: Said
) -> None:
    server, providers = served
    server.row = row
    asked = prompt("hi", model=row.model)
    if row.error:
        with pytest.raises(ProviderError) as caught:
            await ask(providers(row.model), asked)
        assert row.error in str(caught.value)
        assert caught.value.retryable is not row.final
        return
    parts = await ask(providers(row.model), asked)
    assert (text_of(parts), thoughts_of(parts)) == (row.text, row.thoughts)
    assert [it.arguments for it in calls_of(parts)] == row.calls
    assert finish_of(parts).reason == row.reason
