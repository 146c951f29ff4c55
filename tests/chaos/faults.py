"""Faults: processes of a stack that are killed, stopped for a while, or asked to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from tests.dev_stack import DevStack

STOPPED_S = (3.0, 5.0)
"""How long a stopped process stays stopped: longer than its heartbeats may stay away."""
LIGHT = {
    ("kill", "worker"): 60,
    ("pause", "worker"): 12,
    ("drain", "worker"): 10,
    ("kill", "api"): 10,
    ("drain", "api"): 8,
}
"""How often what is done to what."""
MIXES = {
    "light": LIGHT,
    "heavy": LIGHT | {("kill", "temporal"): 2, ("drain", "temporal"): 2},
    "kills": {("kill", "worker"): 1},
}
_SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP, "drain": signal.SIGTERM}


@dataclass(frozen=True)
class Fault:
    """What was done."""

    at_us: int
    """Microseconds since 1970."""
    what: str
    target: str
    pid: int


class Faults:
    """Injects faults into a stack, one after the other, drawn from a seed."""

    def __init__(
        self, stack: DevStack, random: Random, every_s: float, mix: dict[tuple[str, str], int]
    ) -> None:
        self.done: list[Fault] = []
        self._stack = stack
        self._random = random
        self._every_s = every_s
        self._mix = mix
        self._stopped: set[int] = set()
        self._wakers: set[asyncio.Task[None]] = set()

    async def inject(self) -> None:
        """For ever; cancel it to end it, which wakes what is stopped."""
        try:
            while True:
                await asyncio.sleep(self._random.uniform(0.4, 1.6) * self._every_s)
                [(what, target)] = self._random.choices(list(self._mix), [*self._mix.values()])
                self.do(what, target)
        finally:
            for pid in [*self._stopped]:
                self._wake(pid)

    def do(self, what: str, target: str) -> None:
        """Do it to one such process, unless all of them are stopped or away."""
        pids = [pid for pid in self._pids(target) if pid not in self._stopped]
        if not pids:
            return
        pid = self._random.choice(pids)
        with suppress(ProcessLookupError):
            os.kill(pid, _SIGNALS[what])
            self.done.append(Fault(time.time_ns() // 1000, what, target, pid))
            if what == "pause":
                self._stopped.add(pid)
                waker = asyncio.create_task(self._wake_later(pid))
                self._wakers.add(waker)
                waker.add_done_callback(self._wakers.discard)

    def report(self) -> list[dict[str, Any]]:
        """All that was done, as JSON."""
        return [asdict(fault) for fault in self.done]

    def _pids(self, target: str) -> list[int]:
        try:
            state = self._stack.state
        except (OSError, ValueError):  # the file is being rewritten
            return []
        if target == "worker":
            return [worker["pid"] for worker in state["workers"]]
        return [state[target]["pid"]]

    async def _wake_later(self, pid: int) -> None:
        await asyncio.sleep(self._random.uniform(*STOPPED_S))
        self._wake(pid)

    def _wake(self, pid: int) -> None:
        self._stopped.discard(pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
