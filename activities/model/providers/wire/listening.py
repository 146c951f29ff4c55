"""Listens to the answers of an HTTP client, between the socket and the library.

What reaches the library is clean: events with JSON, one choice, no pings. What the provider said of
the answer itself (how it ended, what it cost, an error) is taken down in a `Heard`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from typing import Any

import httpx2

from relayline.activities.model.providers.wire.dialects import Dialect, Said, dialect_of
from relayline.activities.model.providers.wire.failures import WireError, failure_in
from relayline.activities.model.providers.wire.frames import ENDS, Frame, Frames, TooLong
from relayline.activities.model.providers.wire.halves import paired
from relayline.activities.model.providers.wire.heard import Heard, documents
from relayline.activities.model.providers.wire.sniffing import Opening, words_in

AFTER_REASON_S = 5.0
"""How long to wait for a usage after a finish reason."""
AFTER_DONE_S = 0.1
"""How long to wait for the end of the body, so that the connection can be used again."""
_TOGETHER = 256
"""Values of one event that are heard before others run."""
_DONE = ("[DONE]", "DONE", '"[DONE]"')

_HEARD: ContextVar[Heard | None] = ContextVar("heard", default=None)


@contextmanager
def hearing(heard: Heard) -> Iterator[None]:
    """Requests that are sent in here are listened to."""
    token = _HEARD.set(heard)
    try:
        yield
    finally:
        _HEARD.reset(token)


async def listen(response: httpx2.Response) -> None:
    """An event hook for responses: replaces the stream of an answer with a clean one."""
    heard = _HEARD.get()
    dialect = dialect_of(response.request.url.path, heard) if heard else None
    if heard is None or dialect is None or not response.is_success:
        return
    heard.listening = True
    decoded = httpx2.Response(200, headers=response.headers, stream=response.stream)
    response.stream = CleanStream(decoded, dialect, heard)
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        response.headers.pop(name, None)
    response.headers["content-type"] = "text/event-stream; charset=utf-8"


class CleanStream(httpx2.AsyncByteStream):
    """The events of an answer, for the library."""

    def __init__(self, response: httpx2.Response, dialect: Dialect, heard: Heard) -> None:
        self._response = response
        self._dialect = dialect
        self._heard = heard
        self._deadline: float | None = None
        """When an answer that is over need not be waited for any more."""
        self._bytes = self._clean()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The events; once they are read there is nothing more."""
        return self._bytes

    async def aclose(self) -> None:
        """Close the connection."""
        await self._bytes.aclose()
        await self._response.aclose()

    async def _clean(self) -> AsyncGenerator[bytes, None]:
        """Each event as soon as it is whole.

        Raises:
            WireError: the provider told of an error, or broke off.
        """
        heard = self._heard
        async with aclosing(self._frames()) as frames:
            async for frame in frames:
                async for name, told in self._heard_in(frame):
                    yield _encoded(name, told)
                if heard.done:
                    break
                if heard.word:
                    self._deadline = _now() + AFTER_REASON_S
            if not heard.ended:
                stray = f"; it said: {heard.stray}" if heard.stray else ""
                raise WireError(f"broke off in mid-answer{stray}")
            for name, told in self._dialect.close():
                yield _encoded(name, told)
            self._deadline = _now() + AFTER_DONE_S
            async for frame in frames:  # all of it, so that the connection can be used again
                self._heard_late(frame)

    async def _heard_in(self, frame: Frame) -> AsyncGenerator[tuple[str, Any], None]:
        """What is in one event; others run between its values, of which there may be thousands."""
        try:
            values = documents(frame.data) if frame.data.strip() else [""]
            for count, told in enumerate(values, 1):
                if error := failure_in(frame.name, told):
                    raise error
                for said in self._heard_of(frame.name, told):
                    yield said
                if count % _TOGETHER == 0:
                    await asyncio.sleep(0)
        except RecursionError:
            raise WireError("sent an event that is nested too deeply") from None

    def _heard_of(self, name: str, told: Any) -> Said:
        """One JSON value, or text that is none."""
        if name in ENDS and told in ("", {}, None):
            self._heard.done = True
        elif not isinstance(told, str):
            yield from self._dialect.hear(name, told)
        elif told.strip().upper() in _DONE:
            self._heard.done = True
        elif told.lstrip()[:1] in ("{", "[") or '{"' in told:
            raise WireError(f"sent an event that is not JSON: {told[:200]}")
        elif told:
            self._heard.stray = told.strip()[:200]

    def _heard_late(self, frame: Frame) -> None:
        """Some servers count the tokens after `[DONE]`; nothing else counts there."""
        for told in documents(frame.data):
            if isinstance(told, dict) and "usage" in told and not told.get("choices"):
                for _ in self._dialect.hear(frame.name, told):
                    pass

    async def _frames(self) -> AsyncGenerator[Frame, None]:
        """The frames of a stream of events; of anything else, its JSON as one frame.

        Raises:
            WireError: the body is a page or plain text, or too long.
        """
        frames, opening = Frames(), Opening()
        try:
            async with aclosing(self._chunks()) as chunks:
                async for chunk in chunks:
                    for frame in frames.feed(opening.feed(chunk)):
                        yield frame
            if body := opening.document():
                yield _frame_of(body)
            for frame in (*frames.feed(opening.rest()), *frames.end()):
                yield frame
        except TooLong as error:
            raise WireError(str(error)) from error

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes; once an answer is over, its connection may fail."""
        chunks = self._response.aiter_bytes()
        while True:
            try:
                async with asyncio.timeout_at(self._deadline):
                    chunk = await anext(chunks, None)
            except (TimeoutError, httpx2.HTTPError):
                if self._heard.ended:
                    return
                raise
            if chunk is None:
                return
            yield chunk


def _frame_of(body: bytes) -> Frame:
    """A body that is no stream of events.

    Raises:
        WireError: it is not JSON.
    """
    text = body.decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    if text[:1] not in ("{", "["):
        raise WireError(f"answered with no stream of events: {words_in(text)}")
    return Frame("", text)


def _encoded(name: str, told: Any) -> bytes:
    head = f"event: {name}\n" if name else ""
    data = json.dumps(told)
    if "\\ud" in data:  # pairs, and perhaps a lone half, which the library could not write again
        data = json.dumps(json.loads(paired(json.dumps(told, ensure_ascii=False))))
    return f"{head}data: {data}\n\n".encode()


def _now() -> float:
    return asyncio.get_running_loop().time()
