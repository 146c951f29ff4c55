"""Several API processes on one address, and the parent that supervises them."""

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
    """The command line of one of the processes."""

    number: int
    """1, 2, …; a successor keeps the number of its predecessor."""
    listener_fd: int
    ready_fd: int
    """A pipe to which each process writes its pid once it serves."""
    metrics_dir: str

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Part:
        """The part on a command line."""
        number, listener_fd, ready_fd, metrics_dir = arguments
        return cls(int(number), int(listener_fd), int(ready_fd), metrics_dir)

    def say_ready(self) -> None:
        """Tell the parent that this process serves."""
        os.write(self.ready_fd, b"%d\n" % os.getpid())

    def spec(self) -> ChildSpec:
        """The process; `-P` keeps modules of the current directory out."""
        command = (sys.executable, "-P", "-m", "relayline.api.app", *map(str, self))
        fds = (self.listener_fd, self.ready_fd)
        return ChildSpec(f"api-{self.number}", command, stop_s=STOP_S, pass_fds=fds)


async def keep(listeners: Sequence[socket.socket]) -> None:
    """Keep a process running on each listener until SIGTERM, SIGINT or SIGHUP, then stop all.

    They stop in parallel: streams end first, as with one process, and new connections are refused.
    A second signal kills them. A process that dies is restarted within a second; while it can't
    start, the others get its share of new connections. Closes the listeners.

    Raises:
        SystemExit: 1, none of them could start; the reason is on stderr.
    """
    with stop_signals() as stop, TemporaryDirectory(prefix="relayline-api-") as metrics_dir:
        processes = _Processes(listeners, metrics_dir)
        try:
            await unless(stop, processes.run())
            stopped = stop.is_set()
        finally:
            stop.clear()
            await unless(stop, processes.stop())
            await processes.close()
    if not stopped:
        raise SystemExit(1)


class _Processes:
    """The child processes and their state."""

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
        """Pids of the processes that serve."""
        self._one_serves = asyncio.Event()
        self._none_can = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pipe[0], self._read_ready)

    async def run(self) -> None:
        """Start all of them; return when none can start."""
        await unless(self._none_can, self._start())
        await self._none_can.wait()

    async def stop(self) -> None:
        """Send SIGTERM to all at once; return when they have ended.

        Closes our own copies of their sockets first: an open one would still accept connections.
        """
        for listener in self._listeners:
            listener.close()
        await asyncio.gather(*(child.stop() for child in self._children))

    async def close(self) -> None:
        """Kill the processes that are left."""
        await asyncio.gather(*(child.kill() for child in self._children))
        asyncio.get_running_loop().remove_reader(self._pipe[0])
        for fd in self._pipe:
            os.close(fd)

    def changed(self) -> None:
        """Nothing to do: a new process reports itself when it serves."""

    def ended(self, child: Child, code: int) -> None:
        """Forget the process; give up if it could not start and no other serves."""
        number = self._children[child].number
        forget_gauges(self._metrics_dir, number)
        if child.pid in self._ready:
            self._ready.discard(child.pid)
        elif self._ready:
            self._pass_on(self._listeners[number - 1])
        elif code > 0:
            self._none_can.set()

    def _pass_on(self, listener: socket.socket) -> None:
        """Make the kernel deal its connections to the others until a process listens on it again.

        Connections that wait in its queue are reset, so those clients reconnect.
        """
        if self._listeners.count(listener) == 1:
            with contextlib.suppress(OSError):  # ENOTCONN: nobody has listened on it since
                listener.shutdown(socket.SHUT_RDWR)

    def note(self, text: str) -> None:
        """Log it, unless the process that could not start has just logged the reason."""
        if not self._none_can.is_set():
            _log.warning("%s", text)

    async def _start(self) -> None:
        """Start one first, so that a failure is reported once and not by each."""
        first, *others = self._children
        await first.start()
        await self._one_serves.wait()
        for child in others:
            await child.start()

    def _read_ready(self) -> None:
        self._ready |= {int(pid) for pid in os.read(self._pipe[0], 4096).split()}
        self._one_serves.set()
