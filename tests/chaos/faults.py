"""Faults: processes of a stack that are killed, stopped for a while, or asked to stop; and what
operators do to runs."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from random import Random
from typing import Any

import httpx

from tests.chaos.campaign import Load
from tests.chaos.clients import eventually
from tests.chaos.cluster import JournalServer
from tests.chaos.servers import servers_of
from tests.chaos.stacks import Stack

STOPPED_S = (3.0, 5.0)
"""How long a stopped process stays stopped: longer than its heartbeats may stay away."""
Mix = dict[tuple[str, str], int]
LIGHT: Mix = {
    ("kill", "worker"): 60,
    ("pause", "worker"): 12,
    ("drain", "worker"): 10,
    ("kill", "api"): 10,
    ("drain", "api"): 8,
}
"""How often what is done to what."""
HEAVY: Mix = LIGHT | {
    ("kill", "temporal"): 2,
    ("drain", "temporal"): 2,
    ("drain", "journal"): 2,
    ("reset", "run"): 8,
    ("terminate", "run"): 3,
}
MIXES: dict[str, Mix] = {
    "light": LIGHT,
    "heavy": HEAVY,
    "crashes": HEAVY | {("kill", "journal"): 4},
    "kills": {("kill", "worker"): 1},
    "stops": {("pause", "worker"): 3, ("kill", "worker"): 1},
    "drains": {("drain", "worker"): 1},
    "restarts": LIGHT | {("drain", "journal"): 20},
    "conversations": HEAVY,
    "families": HEAVY,
    "mcp": HEAVY | {("kill", "mcp"): 100, ("pause", "mcp"): 15},
    "operators": LIGHT | {("reset", "run"): 100, ("hold", "run"): 60, ("terminate", "run"): 10},
}
_SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP, "drain": signal.SIGTERM}


@dataclass(frozen=True)
class Fault:
    """What was done."""

    at_us: int
    """Microseconds since 1970."""
    what: str
    target: str
    whom: int | str
    """The process or the run."""


class Faults:
    """Injects faults into a stack and its load, one after the other, drawn from a seed.

    What is done and when is told by the seed alone; to whom, also by who is there.
    """

    def __init__(self, stack: Stack, load: Load, seed: int, every_s: float, mix: Mix) -> None:
        self.done: list[Fault] = []
        self._stack = stack
        self._load = load
        self._random = Random(seed)  # noqa: S311
        self._whom = Random(f"{seed}/whom")  # noqa: S311
        self._every_s = every_s
        self._mix = mix
        self._stopped: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def inject(self) -> None:
        """For ever; cancel it to end it, which wakes what is stopped."""
        try:
            while True:
                await asyncio.sleep(self._random.uniform(0.4, 1.6) * self._every_s)
                [(what, target)] = self._random.choices(list(self._mix), [*self._mix.values()])
                if target == "run":
                    self._soon(self._operate(what))
                elif target == "journal":
                    await self._restart_journal(what)
                else:
                    self._signal(what, target)
        finally:
            for pid in [*self._stopped]:
                self._wake(pid)

    async def in_turn(self, what: str, targets: Sequence[str]) -> None:
        """Do it to a process of each kind, one after the other; each time the API is ready before.

        A busy machine takes many seconds to start what was killed.
        """
        async with httpx.AsyncClient() as http:
            for target in targets:
                await asyncio.sleep(self._every_s)
                url = f"{self._stack.api_urls[0]}/readyz"
                await eventually(partial(http.get, url))
                self._signal(what, target)

    async def _operate(self, what: str) -> None:
        """Reset or terminate a run, or hold a call of it."""
        at_us = time.time_ns() // 1000
        if run_id := await self._load.operate(what, self._whom):
            self.done.append(Fault(at_us, what, "run", run_id))

    async def _restart_journal(self, what: str) -> None:
        """Kill or stop the journal's server, if it has one, and start it again a little later."""
        server: JournalServer | None = self._stack.journal_server
        if server is None:
            return
        self._note(what, "journal", 0)
        (server.kill if what == "kill" else server.stop)()  # soon done
        try:
            await asyncio.sleep(self._whom.uniform(*STOPPED_S))
        finally:
            server.start()

    def _signal(self, what: str, target: str) -> None:
        """Do it to one such process, unless all of them are stopped or away."""
        pids = [pid for pid in self._pids(target) if pid not in self._stopped]
        if not pids:
            return
        pid = self._whom.choice(pids)
        with suppress(ProcessLookupError):
            os.kill(pid, _SIGNALS[what])
            self._note(what, target, pid)
            if what == "pause":
                self._stopped.add(pid)
                self._soon(self._wake_later(pid))

    def _pids(self, target: str) -> list[int]:
        """The processes of that kind; `mcp`: of the workers' MCP servers."""
        if target != "mcp":
            return self._stack.pids_of(target)
        return servers_of(self._stack.pids_of("worker"))

    def did(self, *wanted: str) -> bool:
        """Whether each of these was done, e.g. `reset run`."""
        return {*wanted} <= {f"{it.what} {it.target}" for it in self.done}

    async def settled(self) -> None:
        """Return when nothing is being done to a run any more; call it when no more is injected."""
        await asyncio.gather(*self._tasks)

    def report(self) -> list[dict[str, Any]]:
        """All that was done, as JSON."""
        return [asdict(fault) for fault in self.done]

    def _note(self, what: str, target: str, whom: int | str) -> None:
        self.done.append(Fault(time.time_ns() // 1000, what, target, whom))

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake_later(self, pid: int) -> None:
        await asyncio.sleep(self._whom.uniform(*STOPPED_S))
        self._wake(pid)

    def _wake(self, pid: int) -> None:
        self._stopped.discard(pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
