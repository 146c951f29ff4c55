"""Follows one event stream across any number of connections."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import NamedTuple

import httpx

from relayline.client.errors import not_understood, problem_of, reason
from relayline.client.sse import SseFrame, SseParser
from relayline.contracts.events import TERMINAL_TYPES

SILENCE_S = 45.0
"""Three heartbeats: after that much silence a connection counts as dead."""
RETRY_MS = 1000
"""The wait before a new connection until the server has named one."""
MAX_WAIT_S = 15.0
"""Of the backoff; a server that asks for more with `Retry-After` gets it, up to the next bound."""
MAX_RETRY_AFTER_S = 60.0
_MAX_DOUBLINGS = 10
_TRY_AGAIN = frozenset({408, 425, 429})
"""The 4xx that say themselves that trying again helps."""


_UNAVAILABLE = "worker.unavailable"
_LOST = "events.lost"
"""These two are in no journal: they have no id, and may come again."""
_CURSOR_AHEAD = "cursor-ahead"


class Interruption(NamedTuple):
    """Nothing comes for a while: the stream broke off and is taken up again, or nobody works."""

    reason: str
    """A few words for people."""
    wait_s: float
    """Until the next connection."""
    connected: bool = False
    """True: the stream stands, but the run lacks what it needs to go on."""
    anew: bool = False
    """True: the server has lost events that were given out. They count no more, and all that
    stands is given out from the start."""


class _Broken(Exception):
    """The connection ended before the run did."""

    def __init__(self, why: str, retry_after_s: float = 0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class _Lost(_Broken):
    """Events that were given out are not in the journal any more."""


class Follower:
    """One reader's place in one run's stream.

    Gives every event once and in order. A connection that ends, fails, goes silent or is answered
    with 5xx is taken up again after the last event received, for as long as it takes: after the
    server's `retry`, doubled with each failure in a row up to `MAX_WAIT_S`, jittered.

    Where the server says, or its answers show, that it has lost events which were given out, it
    begins anew: those do not count, and numbers come again.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        path: str,
        after: int = 0,
        silence_s: float = SILENCE_S,
    ) -> None:
        self.cursor = after
        """`seq` of the newest event given out."""
        self._start = after
        self._http = http
        self._path = path
        self._silence_s = silence_s
        self._retry_ms = RETRY_MS
        self._failures = 0
        self._ended = False
        self._on_interruption: Callable[[Interruption], None] = lambda _: None

    async def frames(
        self, on_interruption: Callable[[Interruption], None] | None = None
    ) -> AsyncGenerator[SseFrame, None]:
        """Journal events as the server wrote them; ends after the terminal one.

        One that is followed by others (an operator has reset the run) is not the last.

        Raises:
            ApiError: a 4xx that trying again can't help, or an answer that is no event stream.
        """
        self._on_interruption = on_interruption or self._on_interruption
        while not self._ended:
            try:
                async with aclosing(self._connection()) as connection:
                    async for frame in connection:
                        yield frame
            except (httpx.HTTPError, _Broken) as error:
                if isinstance(error, _Lost):
                    self.cursor = self._start
                interruption = self._interruption(error)
                self._on_interruption(interruption)
                await asyncio.sleep(interruption.wait_s)

    async def _connection(self) -> AsyncGenerator[SseFrame, None]:
        """One connection's events; returns only when the run's stream is over.

        Raises:
            HTTPError: it failed.
            _Broken: it ended too early.
        """
        headers = {"Accept": "text/event-stream"}
        if self.cursor:
            headers["Last-Event-ID"] = str(self.cursor)
        timeout = httpx.Timeout(self._silence_s, connect=self._http.timeout.connect)
        async with self._http.stream("GET", self._path, headers=headers, timeout=timeout) as answer:
            await self._check(answer)
            async with aclosing(self._events(answer)) as events:
                async for frame in events:
                    yield frame
        if not self._ended:
            raise _Broken("the server closed the stream")

    async def _events(self, answer: httpx.Response) -> AsyncGenerator[SseFrame, None]:
        """The answer's events that were not given out before.

        Raises:
            _Lost: some that were are lost.
        """
        parser = SseParser()
        async for chunk in answer.aiter_bytes():
            for frame in parser.feed(chunk):
                if frame.event == _LOST:
                    raise _Lost(_reason(frame.data))
                if frame.event == _UNAVAILABLE:
                    self._on_interruption(Interruption(_reason(frame.data), 0, connected=True))
                if not self._is_next(frame):
                    continue
                self._failures = 0
                self._ended = frame.event in TERMINAL_TYPES
                yield frame
            self._retry_ms = parser.retry_ms or self._retry_ms

    def _is_next(self, frame: SseFrame) -> bool:
        """Take the cursor to this frame, unless it is no journal event or was given out."""
        seq = frame.id or ""
        if not (seq.isascii() and seq.isdigit()) or int(seq) <= self.cursor:
            return False
        self.cursor = int(seq)
        return True

    async def _check(self, answer: httpx.Response) -> None:
        """Note a 204 as the end; refuse what is no event stream.

        Raises:
            _Lost: the journal is shorter than what was given out, and that had not ended.
            _Broken: trying again may help.
            ApiError: it can't.
        """
        status, went_on = answer.status_code, self.cursor > self._start
        if status == httpx.codes.NO_CONTENT:
            if went_on:
                raise _Lost("the run has ended before the newest event seen")
            self._ended = True
            return
        kind = answer.headers.get("content-type", "")
        base_url = str(self._http.base_url).rstrip("/")
        if status == httpx.codes.OK:
            if not kind.startswith("text/event-stream"):
                raise not_understood(base_url, status, f"with {kind or 'no content type'}")
            return
        await answer.aread()
        problem = problem_of(base_url, answer)
        if problem.kind == _CURSOR_AHEAD and went_on:
            raise _Lost(str(problem))
        if answer.is_server_error or status in _TRY_AGAIN:
            raise _Broken(str(problem), _retry_after_s(answer))
        raise problem

    def _interruption(self, error: httpx.HTTPError | _Broken) -> Interruption:
        """How long to wait after this one failure more."""
        backoff_s = min(self._retry_ms / 1000 * 2**self._failures, MAX_WAIT_S)
        self._failures = min(self._failures + 1, _MAX_DOUBLINGS)
        wait_s = backoff_s * random.uniform(0.5, 1)  # noqa: S311  jitter, no secret
        if isinstance(error, _Broken):
            wait_s = max(wait_s, error.retry_after_s)
            return Interruption(str(error), wait_s, anew=isinstance(error, _Lost))
        return Interruption(reason(error), wait_s)


def _reason(data: str) -> str:
    """What the run lacks, or what became of events, as the notice has it."""
    try:
        return str(json.loads(data)["data"]["reason"])
    except (ValueError, TypeError, KeyError):
        return "the server does not say why"


def _retry_after_s(answer: httpx.Response) -> float:
    """Seconds from `Retry-After`; 0 where it is missing or a date."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), MAX_RETRY_AFTER_S) if text.isascii() and text.isdigit() else 0
