"""The health of a worker over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from relayline.contracts.answers import Health
from relayline.runtime.loop_thread import LoopThread
from relayline.runtime.settings import BadSettings

ANSWER_BOUND_S = 5.0
MAX_HEAD_BYTES = 8192
MAX_CONNECTIONS = 32


@asynccontextmanager
async def health_served(
    problem: Callable[[], str | None], host: str, port: int
) -> AsyncIterator[None]:
    """Answer probes while the block lasts; not at all if the port is 0.

    Raises:
        BadSettings: nothing can listen there.
    """
    async with AsyncExitStack() as stack:
        try:
            if port:
                await stack.enter_async_context(HealthServer(problem).serving(host, port))
        except OSError as error:
            raise BadSettings(
                f"RELAYLINE_WORKER_PORT is {port}: nothing can listen on {host} there: "
                f"{error.strerror or error}"
            ) from error
        yield


class HealthServer:
    """`GET /healthz` of a process, answered from a thread of its own: 200, or 503 with the reason.

    It answers even while the process's own event loop is blocked.
    """

    def __init__(self, problem: Callable[[], str | None]) -> None:
        self._problem = problem
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
        problem = self._problem()
        status, answer = "200 OK", Health(status="ok")
        if path != b"/healthz" or method not in {b"GET", b"HEAD"}:
            status = "404 Not Found"
        elif problem:
            status = "503 Service Unavailable"
            answer = Health(status="unavailable", parts={"worker": problem})
        body = b"" if status.startswith("404") else answer.model_dump_json().encode()
        lines = (
            f"HTTP/1.1 {status}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        sent = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return sent if method == b"HEAD" else sent + body
