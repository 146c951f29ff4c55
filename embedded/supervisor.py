"""Child processes that are kept running, and of which none is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

QUICK_DEATH_S = 5.0
"""A child that lives shorter than that is waited for a little longer before it is started again."""
MAX_PAUSE_S = 0.9
_PR_SET_PDEATHSIG = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChildSpec:
    """A process to keep running."""

    name: str
    """Also the name of its log file."""
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """On top of the supervisor's own environment."""
    stop_s: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""


class Child:
    """One process, started again within a second whenever it dies."""

    def __init__(self, spec: ChildSpec, log_path: Path, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.pid: int | None = None
        self._log_path = log_path
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start it and keep it running."""
        await self._spawn(truncate=True)
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def stop(self) -> None:
        """SIGTERM, wait `stop_s`, then SIGKILL to the whole group; safe to call twice."""
        self._stopping = True
        self.signal(signal.SIGTERM)
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.spec.stop_s):
                    await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL to the whole group."""
        self._stopping = True
        self.signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()
        if self._keeper is not None:
            self._keeper.cancel()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process's group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _spawn(self, *, truncate: bool = False) -> None:
        with self._log_path.open("wb" if truncate else "ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                env=os.environ | dict(self.spec.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.pid = self._process.pid
        self._changed()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        deaths = 0
        while self._process is not None:
            started = loop.time()
            code = await self._process.wait()
            if self._stopping:
                return
            deaths = deaths + 1 if loop.time() - started < QUICK_DEATH_S else 0
            _log.warning(
                "child died, starting it again",
                extra={"child": self.spec.name, "code": code, "log": str(self._log_path)},
            )
            self.signal(signal.SIGKILL)
            await asyncio.sleep(min(0.05 * deaths**2, MAX_PAUSE_S))
            if not self._stopping:
                await self._spawn()


class Supervisor:
    """Keeps children running; stops them in the reverse order of their start."""

    def __init__(self, log_dir: Path, changed: Callable[[], None]) -> None:
        self._log_dir = log_dir
        self._changed = changed
        self.children: list[Child] = []

    async def start(self, spec: ChildSpec) -> Child:
        """Start a child and keep it running."""
        child = Child(spec, self._log_dir / f"{spec.name}.log", self._changed)
        self.children.append(child)
        await child.start()
        return child

    async def stop(self) -> None:
        """Stop every child, the newest first; those of one kind together."""
        by_kind: dict[str, list[Child]] = {}
        for child in reversed(self.children):
            by_kind.setdefault(child.spec.name.partition("-")[0], []).append(child)
        for kind in by_kind.values():
            await asyncio.gather(*(child.stop() for child in kind))

    async def kill(self) -> None:
        """End every child at once."""
        await asyncio.gather(*(child.kill() for child in self.children))


def _die_with_parent() -> None:
    """In the child: SIGKILL when the supervisor dies, where the system offers that (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
