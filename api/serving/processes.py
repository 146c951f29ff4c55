"""Several API processes on one address, and the parent that only keeps them running."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from relayline.api.serving.metrics import forget_gauges
from relayline.runtime.children.child import Child, ChildSpec
from relayline.runtime.children.stopping import stop_signals, unless

STOP_S = 6.5
"""Seconds that a stopping process gets: longer than streams and requests may take."""
_log = logging.getLogger(__name__)


class Part(NamedTuple):
    """What one of the processes is told on its command line."""

    number: int
    """1, 2, …; a successor has that of its predecessor."""
    listener_fd: int
    ready_fd: int
    """A pipe that takes the pids of those that serve."""
    metrics_dir: str

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Part:
        """The part that a command line of ours has."""
        number, listener_fd, ready_fd, metrics_dir = arguments
        return cls(int(number), int(listener_fd), int(ready_fd), metrics_dir)

    def say_ready(self) -> None:
        """Tell the parent that this process serves."""
        os.write(self.ready_fd, b"%d\n" % os.getpid())

    def spec(self) -> ChildSpec:
        """The process; `-P`: an `api` in the current directory is not ours."""
        command = (sys.executable, "-P", "-m", "relayline.api.app", *map(str, self))
        fds = (self.listener_fd, self.ready_fd)
        return ChildSpec(f"api-{self.number}", command, stop_s=STOP_S, pass_fds=fds)


async def keep(listeners: Sequence[socket.socket]) -> None:
    """Keep a process on each of them running until SIGTERM, SIGINT or SIGHUP, then stop all.

    They stop side by side: streams end first, as with one process, and new connections are refused.
    A second signal ends them at once. Each process that dies is started again within a second;
    while one can't start, the others get its share of new connections. Closes the listeners.

    Raises:
        SystemExit: 1, none of them could start; it has said why on stderr.
    """
    with stop_signals() as stop, TemporaryDirectory(prefix="relayline-api-") as metrics_dir:
        processes = _Processes(listeners, metrics_dir)
        try:
            await unless(stop, processes.run())
            told = stop.is_set()
        finally:
            stop.clear()
            await unless(stop, processes.stop())
            await processes.close()
    if not told:
        raise SystemExit(1)


class _Processes:
    """The children and what is known of them."""

    def __init__(self, listeners: Sequence[socket.socket], metrics_dir: str) -> None:
        self._metrics_dir = Path(metrics_dir)
        self._listeners = listeners
        self._pipe = os.pipe()
        parts = [
            Part(number, listener.fileno(), self._pipe[1], metrics_dir)
            for number, listener in enumerate(listeners, 1)
        ]
        self._children = {Child(part.spec(), self): part for part in parts}
        self._ready: set[int | None] = set()
        """Pids of those that serve."""
        self._one_serves = asyncio.Event()
        self._none_can = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pipe[0], self._read_ready)

    async def run(self) -> None:
        """Start all of them; return when they can't be."""
        await unless(self._none_can, self._start())
        await self._none_can.wait()

    async def stop(self) -> None:
        """SIGTERM to each, side by side; return when they have ended.

        Our own copies of their sockets go first: the last one open takes connections in.
        """
        for listener in self._listeners:
            listener.close()
        await asyncio.gather(*(child.stop() for child in self._children))

    async def close(self) -> None:
        """End at once what has not ended."""
        await asyncio.gather(*(child.kill() for child in self._children))
        asyncio.get_running_loop().remove_reader(self._pipe[0])
        for fd in self._pipe:
            os.close(fd)

    def changed(self) -> None:
        """Nothing to do: a new process says itself when it serves."""

    def ended(self, child: Child, code: int) -> None:
        """Forget the process; give up when it could not start and no other serves."""
        number = self._children[child].number
        forget_gauges(self._metrics_dir, number)
        if child.pid in self._ready:
            self._ready.discard(child.pid)
        elif self._ready:
            self._pass_on(self._listeners[number - 1])
        elif code > 0:
            self._none_can.set()

    def _pass_on(self, listener: socket.socket) -> None:
        """Have the kernel deal to the others, until a process listens on it again.

        What waits in its queue is reset, so that those clients come again.
        """
        if self._listeners.count(listener) == 1:
            with contextlib.suppress(OSError):  # ENOTCONN: nobody has listened on it since
                listener.shutdown(socket.SHUT_RDWR)

    def note(self, text: str) -> None:
        """Log it, unless the process that could not start has just said why."""
        if not self._none_can.is_set():
            _log.warning("%s", text)

    async def _start(self) -> None:
        """The first shows whether it can be done, and why not if it can't: once, not by each."""
        first, *others = self._children
        await first.start()
        await self._one_serves.wait()
        for child in others:
            await child.start()

    def _read_ready(self) -> None:
        self._ready |= {int(pid) for pid in os.read(self._pipe[0], 4096).split()}
        self._one_serves.set()
