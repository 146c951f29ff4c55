"""The health and the metrics of a worker over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from relayline.contracts.operation.system import Health
from relayline.runtime.loop_thread import LoopThread
from relayline.runtime.settings import BadSettings

ANSWER_BOUND_S = 5.0
MAX_HEAD_BYTES = 8192
MAX_CONNECTIONS = 32
Page = Callable[[], tuple[str, bytes]]
"""Content type and body of what is shown; called in the server's thread."""


def joined(first: Page, *others: Callable[[], bytes]) -> Page:
    """One page of several, all in the format of the first."""

    def page() -> tuple[str, bytes]:
        kind, text = first()
        return kind, b"".join([text, *(other() for other in others)])

    return page


@asynccontextmanager
async def health_served(
    problem: Callable[[], str | None], metrics: Page, host: str, port: int
) -> AsyncIterator[None]:
    """Answer probes while the block lasts; not at all if the port is 0.

    Raises:
        BadSettings: nothing can listen there.
    """
    async with AsyncExitStack() as stack:
        try:
            if port:
                await stack.enter_async_context(HealthServer(problem, metrics).serving(host, port))
        except OSError as error:
            raise BadSettings(
                f"RELAYLINE_WORKER_PORT is {port}: nothing can listen on {host} there: "
                f"{error.strerror or error}"
            ) from error
        yield


class HealthServer:
    """`GET /healthz` of a process: 200, or 503 with the reason; and `GET /metrics`.

    It answers from a thread of its own, even while the process's own event loop is blocked.
    """

    def __init__(self, problem: Callable[[], str | None], metrics: Page) -> None:
        self._problem = problem
        self._metrics = metrics
        self._thread = LoopThread("health")
        self._open = 0

    @asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncIterator[None]:
        """Serve while the block lasts.

        Raises:
            OSError: nothing can listen there.
        """
        listen = asyncio.start_server(self._answer, host, port, limit=MAX_HEAD_BYTES)
        started = asyncio.run_coroutine_threadsafe(listen, self._thread.loop)
        server = await asyncio.wrap_future(started)
        try:
            yield
        finally:
            self._thread.loop.call_soon_threadsafe(server.close)
            self._thread.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        gone = (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        try:
            if self._open <= MAX_CONNECTIONS:
                with suppress(*gone):
                    async with asyncio.timeout(ANSWER_BOUND_S):
                        writer.write(self._response(await reader.readuntil(b"\r\n\r\n")))
                        await writer.drain()
        finally:
            self._open -= 1
            writer.close()

    def _response(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        status, kind, body = "404 Not Found", "application/json", b""
        if method in {b"GET", b"HEAD"} and path == b"/healthz":
            status, body = self._health()
        elif method in {b"GET", b"HEAD"} and path == b"/metrics":
            status, (kind, body) = "200 OK", self._metrics()
        lines = (
            f"HTTP/1.1 {status}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        sent = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return sent if method == b"HEAD" else sent + body

    def _health(self) -> tuple[str, bytes]:
        if problem := self._problem():
            said = Health(status="unavailable", parts={"worker": problem})
            return "503 Service Unavailable", said.model_dump_json().encode()
        return "200 OK", Health(status="ok").model_dump_json().encode()
