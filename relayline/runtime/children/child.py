"""A child process that is restarted when it dies and leaves nothing behind when it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

QUICK_DEATH_S = 5.0
"""A child that dies sooner waits a little longer for each restart."""
MAX_PAUSE_S = 0.8
"""The longest wait before a restart; together with the start it stays under 1 s."""
LOG_TAIL_BYTES = 4096

# Runs in the child's process before its program: Linux then kills it when its parent dies.
# Not a `preexec_fn`: Python code between fork and exec may deadlock in a process with threads.
_LEASH = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL; survives the exec
if os.getppid() != int(sys.argv[1]): sys.exit("the parent is gone already")
os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class ChildSpec:
    """A process to keep running."""

    name: str
    """`kind`, or `kind-1`, `kind-2` … if there are several."""
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    """The whole environment; None inherits the supervisor's."""
    stop_s: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
    umask: int | None = None
    """Permissions that its new files lack; None inherits the supervisor's."""
    pass_fds: tuple[int, ...] = ()
    """File descriptors that it inherits besides stdout and stderr, with the same numbers."""
    health_port: int = 0
    """Loopback port on which it answers `GET /healthz`; 0 means none, and nobody asks."""

    @property
    def kind(self) -> str:
        """The name up to its first dash."""
        return self.name.partition("-")[0]


class Overseer(Protocol):
    """Receives what happens to children."""

    def changed(self) -> None:
        """A child has a new pid."""
        ...

    def ended(self, child: Child, code: int) -> None:
        """The child died and is about to be restarted; a negative code is `-signal`."""
        ...

    def note(self, text: str) -> None:
        """What happened, as a sentence."""
        ...


class Child:
    """One process in its own session, restarted within a second whenever it dies.

    Guarantees:
        After `stop` or `kill` returns, no process of its process group runs.
        On Linux only, it is killed when the supervisor dies, even by SIGKILL.
    """

    def __init__(self, spec: ChildSpec, overseer: Overseer, log: Path | None = None) -> None:
        self.spec = spec
        self.log = log
        """File of its stdout and stderr, emptied by `start`; None inherits ours."""
        self.pid: int | None = None
        self.quick_deaths = 0
        """Deaths in a row, each within `QUICK_DEATH_S` of its start."""
        self.exits = 0
        """Deaths in a row that were exits with an error code, not by a signal."""
        self.starts = 0
        self.worked = False
        """True once a process of it has answered that it is healthy."""
        self.lived_s = 0.0
        """Seconds that the process lived that died last."""
        self._overseer = overseer
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and keep it running.

        Raises:
            OSError: the process can't be started, or its log can't be written.
        """
        if self.log is not None:
            self.log.write_bytes(b"")
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def stop(self) -> None:
        """SIGTERM, wait `stop_s`, then SIGKILL to the whole group; safe to call twice."""
        await self._stop_keeping()
        if self._process is not None and self._process.returncode is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.spec.stop_s):
                    await self._process.wait()
        await self.kill()

    async def restart(self) -> None:
        """Stop it as `stop` does, then start it with the same log and keep it running."""
        await self.stop()
        self.quick_deaths = self.exits = 0
        await self._come_back()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def kill(self) -> None:
        """SIGKILL to the whole group; safe to call twice."""
        await self._stop_keeping()
        self._signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    def replace(self, why: str) -> None:
        """SIGKILL to the whole group, and a note; then it is started again."""
        self._note(f"{why} and is replaced")
        self._signal(signal.SIGKILL)

    def last_log_line(self) -> str:
        """The last line of its log, empty if there is none."""
        if self.log is None:
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    async def _stop_keeping(self) -> None:
        """Restart it no more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the process group, if it still has a process."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    async def _spawn(self) -> None:
        umask: dict[str, Any] = {} if self.spec.umask is None else {"umask": self.spec.umask}
        with self.log.open("ab") if self.log else contextlib.nullcontext() as log:
            self._process = await asyncio.create_subprocess_exec(
                *leashed(self.spec.command),
                env=self.spec.env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=self.spec.pass_fds,
                **umask,  # only where it is wanted: uvloop does not know it
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.starts += 1
        self._overseer.changed()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while self._process is not None:
            born = loop.time()
            code = await self._process.wait()
            self._signal(signal.SIGKILL)  # the rest of its group
            self.lived_s = loop.time() - born
            quick = self.lived_s < QUICK_DEATH_S
            self.quick_deaths = self.quick_deaths + 1 if quick else 0
            self.exits = self.exits + 1 if code > 0 else 0
            self._overseer.ended(self, code)
            self._note(f"ended with {_ending(code)}")
            await asyncio.sleep(min(0.05 * self.quick_deaths**2, MAX_PAUSE_S))
            await self._come_back()

    async def _come_back(self) -> None:
        while not await self._respawned():
            await asyncio.sleep(MAX_PAUSE_S)

    async def _respawned(self) -> bool:
        try:
            await self._spawn()
        except OSError as error:
            self._note(f"can't be started again: {error}")
            return False
        self._note("started again")
        return True

    def _note(self, what: str) -> None:
        self._overseer.note(f"{self.spec.name} (pid {self.pid}) {what}")


def leashed(command: Sequence[str]) -> Sequence[str]:
    """The command such that, on Linux, it is killed when the thread that starts it ends."""
    if sys.platform != "linux":
        return command
    return (sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *command)


def _ending(code: int) -> str:
    """An exit code in words: `exit code 1`, `SIGKILL`."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
