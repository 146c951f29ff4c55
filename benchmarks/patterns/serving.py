"""The processes that serve each of the four: started, killed, redeployed, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.alone import stack_of
from benchmarks.patterns.environment import BROKER, CAREFUL, FACTOR, PROVIDER
from benchmarks.processors import children
from benchmarks.sse import fetch
from benchmarks.stack import ORDINARY, ROOT, NotStarted, Stack
from relayline.dev.ports import free_port
from relayline.dev.supervisor import Supervisor
from relayline.runtime.children.child import ChildSpec

PROCESSES = 2
"""Of a kind: uvicorn's workers, Celery's workers, our workers."""
THREADS = 40
"""Of a worker of the queue: as many as Starlette gives a worker of the synchronous API."""
GRACE_S = 30.0
"""From SIGTERM to SIGKILL in a redeploy, on the workload's clock; Kubernetes' default."""
_START_S, _LOOK_S = 60, 0.05


class NotMeasured(Exception):
    """Something that a peer needs is not installed; the message names it."""


class Place(NamedTuple):
    """Where a pattern is served."""

    folder: Path
    """For the files of its processes."""
    provider: str
    """Base URL of the provider."""
    factor: float
    """How many times faster than its own clock the workload is played."""

    @property
    def env(self) -> dict[str, str]:
        """What every process needs to know."""
        return {PROVIDER: self.provider, FACTOR: str(self.factor), "PYTHONPATH": str(ROOT)}


class Served(Protocol):
    """One pattern, running."""

    @property
    def url(self) -> str:
        """Base URL."""
        ...

    def pids(self) -> Mapping[str, Sequence[int]]:
        """Its processes by kind, all descendants of them left out."""
        ...

    def kill(self) -> None:
        """SIGKILL to one of the processes that run agents."""
        ...

    async def redeploy(self) -> None:
        """SIGTERM to all that is ours to deploy, SIGKILL after `GRACE_S`, and a new start."""
        ...


Serving = Callable[[Place], "contextlib.AbstractAsyncContextManager[Served]"]


class Supervised:
    """Processes of ours under the supervisor of `relayline dev`."""

    def __init__(self, place: Place, env: Mapping[str, str]) -> None:
        """Start nothing yet; `env` is set besides what every process needs."""
        self._env = {**os.environ, **ORDINARY, **place.env, **env}
        place.folder.mkdir(parents=True)
        self._stop_s = GRACE_S / place.factor
        self.supervisor = Supervisor(place.folder, lambda: None, lambda _: None)
        self.url = f"http://127.0.0.1:{free_port()}"

    async def start(self, name: str, *command: str) -> None:
        """Keep that process running."""
        spec = ChildSpec(name, command, self._env, self._stop_s)
        await self.supervisor.start(spec)

    async def api(self, app: str) -> None:
        """Serve that application with uvicorn's own workers, once it answers.

        Raises:
            NotStarted: it does not.
        """
        port = self.url.rpartition(":")[2]
        options = ("--port", port, "--workers", str(PROCESSES), "--log-level", "warning")
        await self.start("api", sys.executable, "-m", "uvicorn", f"{app}:app", *options)
        await self.answering()

    async def answering(self) -> None:
        """Return when the API answers.

        Raises:
            NotStarted: it does not.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                while not await _answers(f"{self.url}/healthz"):
                    await asyncio.sleep(_LOOK_S)
                return
        said = [f"{child.spec.name}: {child.last_log_line()}" for child in self.supervisor.children]
        raise NotStarted(f"nothing answers at {self.url}; " + "; ".join(said))

    def pids(self) -> dict[str, list[int]]:
        """Processes by kind."""
        found: dict[str, list[int]] = {}
        for child in self.supervisor.children:
            if child.pid:
                found.setdefault(child.spec.kind, []).append(child.pid)
        return found

    def kill(self) -> None:
        """Kill a worker of the queue, or else one of uvicorn's."""
        pids = self.pids()
        pool = pids.get("worker") or _uvicorn_workers(pids["api"][0])
        os.kill(pool[0], signal.SIGKILL)

    async def redeploy(self) -> None:
        """Restart all but Redis, at once."""
        ours = [it for it in self.supervisor.children if it.spec.kind != "redis"]
        await asyncio.gather(*(child.restart() for child in ours))


def _uvicorn_workers(pid: int) -> list[int]:
    """The processes that uvicorn has started for its application."""
    commands = {it: Path(f"/proc/{it}/cmdline").read_bytes() for it in children(pid)}
    return [it for it, command in commands.items() if b"spawn_main" in command]


async def _answers(url: str) -> bool:
    with contextlib.suppress(OSError, ValueError, TimeoutError):
        _, reply = await fetch(url, stream=False, timeout_s=5)
        return reply.status == 200
    return False


@contextlib.asynccontextmanager
async def _supervised(place: Place, env: Mapping[str, str]) -> AsyncIterator[Supervised]:
    started = Supervised(place, env)
    try:
        yield started
    finally:
        await started.supervisor.kill()


@contextlib.asynccontextmanager
async def synchronous(place: Place) -> AsyncIterator[Served]:
    """A synchronous API."""
    async with _supervised(place, {}) as started:
        await started.api("benchmarks.patterns.synchronous")
        yield started


@contextlib.asynccontextmanager
async def streamed(place: Place) -> AsyncIterator[Served]:
    """A stream from the request's own task."""
    async with _supervised(place, {}) as started:
        await started.api("benchmarks.patterns.streamed")
        yield started


def missing() -> str:
    """What the queue needs and this machine lacks; empty if it lacks nothing."""
    lacks = [it for it in ("celery", "redis") if find_spec(it) is None]
    if lacks:
        return f"the package {lacks[0]} is not installed"
    return "" if shutil.which("redis-server") else "redis-server is not installed"


def queued(*, careful: bool) -> Serving:
    """A queue that is polled; `careful` as in `benchmarks.patterns.queued`."""

    @contextlib.asynccontextmanager
    async def serve(place: Place) -> AsyncIterator[Served]:
        if lacks := missing():
            raise NotMeasured(lacks)
        port = str(free_port())
        env = {BROKER: f"redis://127.0.0.1:{port}/0", CAREFUL: str(int(careful))}
        async with _supervised(place, env) as started:
            redis = ("redis-server", "--port", port, "--save", "", "--appendonly", "no")
            await started.start("redis", *redis, "--dir", str(place.folder))
            for number in range(PROCESSES):
                worker = ("-A", "benchmarks.patterns.queued:queue", "worker", "-n", f"{number}@%h")
                pool = ("-P", "threads", "-c", str(THREADS), "-l", "warning")
                await started.start(
                    f"worker-{number}", sys.executable, "-m", "celery", *worker, *pool
                )
            await started.api("benchmarks.patterns.queued")
            yield started

    return serve


class Durable:
    """Relayline's own stack."""

    def __init__(self, stack: Stack, place: Place) -> None:
        """Which is running."""
        self._stack, self.url = stack, stack.api
        self._stop_s = GRACE_S / place.factor

    def pids(self) -> Mapping[str, Sequence[int]]:
        """Processes by kind, Temporal among them."""
        return self._stack.pids()

    def kill(self) -> None:
        """Kill a worker."""
        os.kill(self.pids()["worker"][0], signal.SIGKILL)

    async def redeploy(self) -> None:
        """Stop the API and all workers; whoever keeps them starts them again."""
        pids = [pid for kind in ("api", "worker") for pid in self.pids()[kind]]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._stop_s
        while loop.time() < deadline and any(map(_lives, pids)):
            await asyncio.sleep(_LOOK_S)
        for pid in filter(_lives, pids):
            os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")
    return False


def durable(*, postgres: bool) -> Serving:
    """Relayline."""

    @contextlib.asynccontextmanager
    async def serve(place: Place) -> AsyncIterator[Served]:
        env = {
            **place.env,
            "RELAYLINE_CATALOG": "benchmarks.patterns.durable",
            "RELAYLINE_COMPATIBLE_BASE_URL": f"{place.provider}/v1",
            "RELAYLINE_DRAIN_S": str(GRACE_S / place.factor),
        }
        started = stack_of(place.folder, workers=PROCESSES, env=env, postgres=postgres)
        async with started as stack:
            yield Durable(stack, place)

    return serve
