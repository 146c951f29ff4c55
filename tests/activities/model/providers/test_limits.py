"""A provider that sends more than anybody needs, over real HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from relayline.activities.model.port import CallPart, ProviderError
from relayline.activities.model.providers.factory import ProviderConfig, Providers, provider_for
from relayline.activities.model.providers.limits import (
    MAX_LINE_BYTES,
    MAX_PARTS,
    MAX_STREAM_BYTES,
)
from tests.activities.model.providers.asking import ask, calls_of, prompt, text_of
from tests.activities.model.providers.stand_in import Chunk, call, delta, finish

MIB = 1024 * 1024
MODEL = "compatible:m"
WAIT = b"wait " * 13_000
ASKED = prompt("hi", model=MODEL)


@dataclass
class Raw:
    """A server that answers every request with the same bytes."""

    port: int = 0
    status: str = "200 OK"
    headers: tuple[str, ...] = ("Content-Type: text/event-stream",)
    body: list[bytes] = field(default_factory=list)
    head: bytes = b""
    """The head of the newest request."""
    sent: int = 0
    """Bytes of the body that the client took."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.head = await reader.readuntil(b"\r\n\r\n")
            lines = [f"HTTP/1.1 {self.status}", *self.headers, "Connection: close", "", ""]
            writer.write("\r\n".join(lines).encode())
            for piece in self.body:
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)
        except OSError:
            return
        finally:
            writer.close()


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    raw = Raw()
    server = await asyncio.start_server(raw.answer, "127.0.0.1", 0)
    raw.port = server.sockets[0].getsockname()[1]
    yield raw
    server.close()
    await server.wait_closed()


@pytest.fixture
async def providers(raw: Raw) -> AsyncIterator[Providers]:
    made = provider_for(ProviderConfig(compatible_base_url=f"http://127.0.0.1:{raw.port}/v1"))
    yield made
    await made.aclose()


def frames(*chunks: Chunk) -> bytes:
    whole = ({"id": "c", "created": 1, "model": "m", **chunk} for chunk in chunks)
    return b"".join(f"data: {json.dumps(it)}\n\n".encode() for it in whole) + b"data: [DONE]\n\n"


async def refusal(providers: Providers) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await ask(providers(MODEL), ASKED)
    return caught.value


async def longest_hold(watch: asyncio.Event) -> float:
    """The most that the loop's thread worked before it ran this again, in CPU seconds."""
    longest, before = 0.0, time.thread_time()
    while not watch.is_set():
        await asyncio.sleep(0)
        longest, before = max(longest, time.thread_time() - before), time.thread_time()
    return longest


@pytest.mark.slow
@pytest.mark.parametrize("together", [False, True])
async def test_an_answer_of_thousands_of_calls_is_refused_before_it_holds_the_loop(
    raw: Raw, providers: Providers, together: bool
) -> None:
    calls = [call(index, "look", "{}") for index in range(3000)]
    if together:
        every = [it["choices"][0]["delta"]["tool_calls"][0] for it in calls]
        calls = [delta(tool_calls=every)]
    await ready(raw, providers)
    raw.body = [frames(*calls, *finish("tool_calls"))]
    over = asyncio.Event()
    watching = asyncio.create_task(longest_hold(over))
    error = await refusal(providers)
    over.set()
    assert "more than 256" in str(error)
    assert error.retryable
    assert await watching < 1


@pytest.mark.slow
async def test_as_many_parts_as_are_allowed_come_whole(raw: Raw, providers: Providers) -> None:
    calls = [call(index, "look", "{}") for index in range(MAX_PARTS)]
    raw.body = [frames(*calls, *finish("tool_calls"))]
    parts = await ask(providers(MODEL), ASKED)
    assert calls_of(parts) == [CallPart("look", {})] * MAX_PARTS


async def test_compression_is_declined(raw: Raw, providers: Providers) -> None:
    await ready(raw, providers)
    accepted = [it for it in raw.head.decode().split("\r\n") if "accept-encoding" in it.lower()]
    assert [it.lower() for it in accepted] == ["accept-encoding: identity"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_answer_that_is_compressed_all_the_same_is_read(
    raw: Raw, providers: Providers, encoding: str
) -> None:
    text = "so be it " * 3000
    plain = frames(delta(content=text), *finish("stop"))
    squeezed = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    raw.headers = (*raw.headers, f"Content-Encoding: {encoding}")
    raw.body = [squeezed[:20], squeezed[20:]]
    assert text_of(await ask(providers(MODEL), ASKED)) == text


@pytest.mark.parametrize(
    ("encoding", "body", "said"),
    [("br", b"what", "compressed answer (br)"), ("gzip", b"no gzip", "compression is broken")],
)
async def test_answer_that_cannot_be_inflated_is_a_failure(
    raw: Raw, providers: Providers, encoding: str, body: bytes, said: str
) -> None:
    raw.headers, raw.body = (*raw.headers, f"Content-Encoding: {encoding}"), [body]
    error = await refusal(providers)
    assert said in str(error)
    assert error.retryable


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity"])
async def test_endless_error_costs_no_memory_and_keeps_its_status(
    raw: Raw, providers: Providers, encoding: str
) -> None:
    await ready(raw, providers)
    raw.status = "429 Too Many Requests"
    raw.headers = ("Content-Type: text/plain", "Retry-After: 7", f"Content-Encoding: {encoding}")
    raw.body = [gzip.compress(b"wait " * 4 * MIB)] if encoding == "gzip" else [WAIT] * 400
    tracemalloc.start()
    error = await refusal(providers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (error.status, error.retry_after_s, error.retryable) == (429, 7.0, True)
    assert ("wait wait" in str(error)) is (encoding != "br")
    assert peak < 4 * MIB
    assert raw.sent <= len(WAIT) * 200


async def test_stream_beyond_the_limit_is_a_failure_and_hangs_up(
    raw: Raw, providers: Providers
) -> None:
    await ready(raw, providers)
    filler = b": " + b"x" * 65_000 + b"\n\n"
    raw.body = [filler] * (3 * MAX_STREAM_BYTES // len(filler))
    error = await refusal(providers)
    assert "compatible:m sent more than 16 MiB in one answer" in str(error)
    assert error.retryable
    assert raw.sent < 2 * MAX_STREAM_BYTES


def endless_line() -> list[bytes]:
    return [b"data: " + b"x" * (MAX_LINE_BYTES + 1)]


async def test_line_without_end_is_a_failure(raw: Raw, providers: Providers) -> None:
    raw.body = endless_line()
    error = await refusal(providers)
    assert "a line of more than 8 MiB" in str(error)
    assert error.retryable


@pytest.mark.slow
@pytest.mark.parametrize("ping", [b": ping\r\n\r\n", b": ping\n", b"data: {}\n", b"{}\n", b"{}"])
async def test_a_hundred_thousand_pings_hold_nothing_up(
    raw: Raw, providers: Providers, ping: bytes
) -> None:
    await ready(raw, providers)
    raw.body = [b"data: {}" + ping * 100_000, b"\n\n"]
    raw.body += [frames(delta(content="here"), *finish("stop"))]
    over = asyncio.Event()
    watching = asyncio.create_task(longest_hold(over))
    assert text_of(await ask(providers(MODEL), ASKED)) == "here"
    over.set()
    assert await watching < 3


@pytest.mark.parametrize(
    ("status", "charset"),
    [
        ("500 Internal Server Error", "punycode"),
        ("500 Internal Server Error", "utf-16"),
        ("200 OK", "punycode"),
    ],
)
async def test_charset_of_a_provider_is_never_believed(
    raw: Raw, providers: Providers, status: str, charset: str
) -> None:
    raw.status = status
    raw.headers = (f"Content-Type: text/event-stream; charset={charset}",)
    raw.body = [frames(delta(content="grün"), *finish("stop"))]
    if status.startswith("200"):
        assert text_of(await ask(providers(MODEL), ASKED)) == "grün"
    else:
        assert '"content"' in str(await refusal(providers))


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai:gpt-5", "OPENAI"),
        ("anthropic:claude-sonnet-5-5", "ANTHROPIC"),
        ("google:gemini-2.5-pro", "GOOGLE_GEMINI"),
        ("ollama:qwen3", "OLLAMA"),
    ],
)
async def test_each_named_provider_is_limited_in_the_same_way(
    raw: Raw, model: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "sk-pretended")
    monkeypatch.setenv(f"{variable}_BASE_URL", f"http://127.0.0.1:{raw.port}")
    raw.headers, raw.body = (*raw.headers, "Content-Encoding: br"), [b"what"]
    providers = provider_for(ProviderConfig())
    with pytest.raises(ProviderError, match=rf"{model} sent a compressed answer \(br\)"):
        await ask(providers(model), prompt("hi", model=model))
    assert b"accept-encoding: identity" in raw.head.lower()
    await providers.aclose()


async def ready(raw: Raw, providers: Providers) -> None:
    """Ask once, so that the library is loaded."""
    raw.body = [frames(delta(content="hi"), *finish("stop"))]
    await ask(providers(MODEL), ASKED)
    raw.sent = 0
