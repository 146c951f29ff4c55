"""A server on stdin and stdout: its process, and lines of JSON of bounded length."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import anyio
import mcp_types
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage

from relayline.runtime.children.child import leashed

MAX_LINE_BYTES = 8 * 1024 * 1024
EXIT_S = 2.0
"""Seconds that a process has to end after its stdin was closed, and again after SIGTERM."""
_TAIL_LINES = 5
_LINE_CHARS = 500
_CHUNK_BYTES = 65_536

Received = SessionMessage | Exception


@dataclass(frozen=True)
class Launch:
    """How to start a server."""

    command: Sequence[str]
    env: Mapping[str, str]
    """Added to HOME, LOGNAME, PATH, SHELL, TERM and USER of this process."""
    cwd: str | None = None


class StdioTransport:
    """The process and its pipes, as an async context manager that gives the two streams.

    Guarantees:
        After exit no process of its group runs. On Linux it does not outlive this thread, either.
        A line of more than 8 MiB ends the connection.
    """

    def __init__(self, launch: Launch, lost: Callable[[], None]) -> None:
        """`lost` is called when the process has closed its stdout."""
        self.patient = True
        """False: on exit, kill the process at once."""
        self._launch = launch
        self._lost = lost
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._too_long = False
        self._pumps: list[asyncio.Task[None]] = []
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Any:
        """Start the process.

        Raises:
            OSError: it can't be started.
        """
        env = {**get_default_environment(), **self._launch.env}
        program = self._launch.command[0]
        if shutil.which(program, path=env.get("PATH")) is None:
            raise FileNotFoundError("its program is not in the PATH")
        self._process = process = await asyncio.create_subprocess_exec(
            *leashed(self._launch.command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            env=env,
            cwd=self._launch.cwd,
            start_new_session=True,
        )
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        if stdin is None or stdout is None or stderr is None:
            raise OSError("the process has no pipes")
        give, received = anyio.create_memory_object_stream[Received](0)
        send, take = anyio.create_memory_object_stream[SessionMessage](0)
        self._streams = (give, received, send, take)
        work = (self._read(process, stdout, give), _write(stdin, take), self._keep_tail(stderr))
        self._pumps = [asyncio.create_task(it) for it in work]
        return received, send

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close stdin, then SIGTERM, then SIGKILL to what is left of the group."""
        if self._process is None:
            return
        stopping = asyncio.ensure_future(self._stop(self._process))
        try:
            await asyncio.shield(stopping)
        except asyncio.CancelledError:
            _signal(self._process, signal.SIGKILL)
            await stopping
            raise

    @property
    def ended(self) -> bool:
        """True when the process has ended."""
        return self._process is not None and self._process.returncode is not None

    def why(self) -> str | None:
        """Why the connection ended, None if nothing is known."""
        if self._too_long:
            return f"it sent a line of more than {MAX_LINE_BYTES} bytes"
        code = self._process.returncode if self._process else None
        if code is None:
            return None
        return f"it ended with {f'exit code {code}' if code >= 0 else signal.Signals(-code).name}"

    def said(self) -> str:
        """The last lines of its stderr, which may have secrets in them."""
        return "\n".join(self._tail)

    async def _read(
        self,
        process: asyncio.subprocess.Process,
        stdout: asyncio.StreamReader,
        give: anyio.abc.ObjectSendStream[Received],
    ) -> None:
        try:
            while line := await self._line(process, stdout):
                await give.send(_parsed(line))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            pass  # the session is gone, or the pipe is
        finally:
            with suppress(TimeoutError):  # so that its exit code is known to whoever asks why
                async with asyncio.timeout(0.5):
                    await process.wait()
            await give.aclose()
            self._lost()

    async def _line(
        self, process: asyncio.subprocess.Process, stdout: asyncio.StreamReader
    ) -> bytes:
        """The next line, `b""` at the end."""
        try:
            return await stdout.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return b""
        except asyncio.LimitOverrunError:
            self._too_long = True
            _signal(process, signal.SIGKILL)
            return b""

    async def _keep_tail(self, stderr: asyncio.StreamReader) -> None:
        """Read stderr, so that the process never blocks on it, and keep its last lines."""
        rest = b""
        while chunk := await stderr.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk)[-_CHUNK_BYTES:].split(b"\n")
            self._tail.extend(_shown(line) for line in lines[-_TAIL_LINES:])
        if rest:
            self._tail.append(_shown(rest))

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        if self.patient:
            if process.stdin:
                process.stdin.close()
            if not await _ended_within(process, EXIT_S):
                _signal(process, signal.SIGTERM)
                await _ended_within(process, EXIT_S)
        _signal(process, signal.SIGKILL)  # the rest of its group, too
        await _ended_within(process, EXIT_S)
        for pump in self._pumps:
            pump.cancel()
        await asyncio.wait(self._pumps)
        for stream in self._streams:
            await stream.aclose()
        # a process that has left the group may hold the pipes open; there is no public way
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


async def _write(
    stdin: asyncio.StreamWriter, take: anyio.abc.ObjectReceiveStream[SessionMessage]
) -> None:
    try:
        async with take:
            async for message in take:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                stdin.write(text.encode() + b"\n")
                await stdin.drain()
    except OSError:
        pass  # the reader notices that the process is gone


async def _ended_within(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Polls: `wait` also waits for pipes that grandchildren may hold open."""
    until = asyncio.get_running_loop().time() + seconds
    while process.returncode is None:
        if asyncio.get_running_loop().time() > until:
            return False
        await asyncio.sleep(0.01)
    return True


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To the whole group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _shown(line: bytes) -> str:
    return line.decode(errors="replace").strip()[:_LINE_CHARS]


def _parsed(line: bytes) -> Received:
    """A message, or for the session to drop, the error."""
    try:
        return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error
