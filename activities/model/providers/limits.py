"""Bounds what a provider may send: bytes, lines, compression, and the parts of an answer."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterator

import httpx2
from pydantic_ai.messages import (
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    ToolCallPart,
    ToolCallPartDelta,
)

from relayline.activities.model.port import ProviderError

MAX_STREAM_BYTES = 16 * 1024 * 1024
"""Limit for the body of one answer, uncompressed."""
MAX_ERROR_BYTES = 64 * 1024
"""The rest of an error's body, uncompressed, is not read."""
MAX_LINE_BYTES = 8 * 1024 * 1024
"""Limit for one line of a stream; some providers repeat the whole answer in one."""
MAX_PARTS = 256
"""Limit for the texts, thoughts and tool calls of one answer; the library's work is quadratic."""
MAX_CALLS_BYTES = 4 * 1024 * 1024
"""Limit for the tool calls of one answer while they are streamed."""
_PIECE_BYTES = 4096
"""A body is handed on in pieces of at most this size, and other tasks run between two."""
_INFLATABLE = {"gzip", "x-gzip", "deflate"}


def limit(client: httpx2.AsyncClient, model: str) -> None:
    """Limit every response of the client, and decline compressed ones.

    The rest of an error's body is cut, so that its status and `Retry-After` still count. A body
    that is compressed all the same is inflated piece by piece. A text is UTF-8, whatever the
    response says: some of Python's charsets take minutes for a megabyte. Reading a body raises
    `ProviderError` when a limit is exceeded.

    Args:
        client: The client; its other hooks stay.
        model: The name for messages.
    """

    async def decline(request: httpx2.Request) -> None:
        request.headers["Accept-Encoding"] = "identity"

    async def bound(response: httpx2.Response) -> None:
        response.encoding = "utf-8"
        encoding = response.headers.pop("Content-Encoding", "identity").strip().lower()
        if isinstance(response.stream, httpx2.AsyncByteStream):
            lenient = not response.is_success
            response.stream = _Bounded(response.stream, encoding, model, lenient=lenient)

    hooks = client.event_hooks
    client.event_hooks = {
        "request": [*hooks["request"], decline],
        "response": [*hooks["response"], bound],
    }


class PartLimits:
    """Counts what the library makes of one answer."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._parts = 0
        self._calls_bytes = 0

    def take(self, event: ModelResponseStreamEvent) -> None:
        """Count an event.

        Raises:
            ProviderError: the answer has more than `MAX_PARTS` parts, or its tool calls more than
                `MAX_CALLS_BYTES`.
        """
        self._parts += isinstance(event, PartStartEvent)
        self._calls_bytes += _call_bytes(event)
        if self._parts > MAX_PARTS:
            text = f"{self._model} sent more than {MAX_PARTS} parts in one answer"
            raise ProviderError(text, retryable=True)
        if self._calls_bytes > MAX_CALLS_BYTES:
            raise ProviderError(f"{self._model} sent no end of calls", retryable=True)


class _Bounded(httpx2.AsyncByteStream):
    """A body within the limits; a lenient one ends where it exceeds them or can't be read."""

    def __init__(
        self, stream: httpx2.AsyncByteStream, encoding: str, model: str, *, lenient: bool
    ) -> None:
        self._stream = stream
        self._encoding = encoding
        self._model = model
        self._lenient = lenient

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        room = MAX_ERROR_BYTES if self._lenient else MAX_STREAM_BYTES
        lines = _Lines()
        try:
            inflater = _inflater(self._encoding)
            async for chunk in self._stream:
                for piece in _pieces(chunk, inflater):
                    room -= len(piece)
                    _check(room, lines, piece)
                    yield piece
                    await asyncio.sleep(0)
        except _Excess as error:
            if not self._lenient:
                raise ProviderError(f"{self._model} sent {error}", retryable=True) from None

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Excess(Exception):
    """A body exceeds a limit or can't be read; the message says what the provider sent."""


class _Lines:
    """Counts the bytes of the current line."""

    def __init__(self) -> None:
        self._bytes = 0

    def take(self, piece: bytes) -> None:
        """Count a piece of the body.

        Raises:
            _Excess: a line is too long.
        """
        for line in piece.splitlines(keepends=True):
            self._bytes += len(line)
            if self._bytes > MAX_LINE_BYTES:
                raise _Excess(f"a line of more than {_size(MAX_LINE_BYTES)}")
            if line.endswith((b"\n", b"\r")):
                self._bytes = 0


def _check(room: int, lines: _Lines, piece: bytes) -> None:
    """Check one more piece of a body.

    Raises:
        _Excess: there is no room for it, or a line is too long.
    """
    if room < 0:
        raise _Excess(f"more than {_size(MAX_STREAM_BYTES)} in one answer")
    lines.take(piece)


def _inflater(encoding: str) -> zlib._Decompress | None:
    """Inflates the body; None for one that is not compressed.

    Raises:
        _Excess: it is compressed in another way.
    """
    if encoding in {"identity", ""}:
        return None
    if encoding not in _INFLATABLE:
        raise _Excess(f"a compressed answer ({encoding[:40]}), although that was declined")
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, whichever it is


def _pieces(chunk: bytes, inflater: zlib._Decompress | None) -> Iterator[bytes]:
    """The chunk in pieces, inflated no further than they are asked for.

    Raises:
        _Excess: it can't be inflated.
    """
    if inflater is None:
        for start in range(0, len(chunk), _PIECE_BYTES):
            yield chunk[start : start + _PIECE_BYTES]
        return
    try:
        while piece := inflater.decompress(chunk, _PIECE_BYTES):
            yield piece
            chunk = inflater.unconsumed_tail
    except zlib.error as error:
        raise _Excess(f"an answer whose compression is broken ({error})") from None


def _call_bytes(event: ModelResponseStreamEvent) -> int:
    """Size of the event's part of a tool call."""
    match event:
        case PartStartEvent(part=ToolCallPart(tool_name=name, args=args)):
            return len(name) + len(str(args or "")) + 1
        case PartDeltaEvent(delta=ToolCallPartDelta(args_delta=args)):
            return len(str(args or ""))
        case _:
            return 0


def _size(limit_bytes: int) -> str:
    return f"{limit_bytes // 1024 // 1024} MiB"
