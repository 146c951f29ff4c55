"""The real processes under measurement: `relayline dev` and its helpers, started and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from temporalio.client import Client

from benchmarks.processors import of_kinds
from benchmarks.sse import fetch
from relayline.dev.ports import free_port
from relayline.dev.state_file import DEV_FILE, DevState
from relayline.journal.port import Journal
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.sqlite.journal import SqliteJournal

ROOT = Path(__file__).parents[1]
_START_S = 60
_STOP_S = 20
_FILES = 16_384
ORDINARY = {"PYTHONDONTWRITEBYTECODE": ""}
"""Bytecode is cached, as where packages are installed: Temporal's sandbox loads a workflow's module
anew for each run, and would compile it each time."""
MANY_CLIENTS = {
    "RELAYLINE_MAX_STREAMS_PER_CLIENT": "8192",
    "RELAYLINE_MAX_CONNECTIONS_PER_CLIENT": "16384",
}
"""All viewers come from one address."""
CATALOG = "benchmarks.stop_tools"


class NotStarted(Exception):
    """A process did not come up; the message ends with what it said."""


class Stack(NamedTuple):
    """Where everything is."""

    api: str
    """Base URL."""
    pids: Callable[[], Mapping[str, Sequence[int]]]
    """Processes that run now, by kind: `worker`, `api`, `temporal`, perhaps `postgres`."""
    data_dir: Path
    temporal: Client
    provider: str
    """Base URL of the timed model provider, see `benchmarks.provider`."""
    dsn: str = ""
    """Address of a journal in Postgres; empty: it is in SQLite."""
    peer_pid: int = 0
    """The worker of the floors, see `peers`; 0: there is none."""

    @property
    def api_pid(self) -> int:
        """The one API process."""
        [pid] = self.pids()["api"]
        return pid

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds used so far, by kind of process."""
        return of_kinds(self.pids())

    @property
    def runs(self) -> str:
        """Where runs are submitted."""
        return f"{self.api}/v1/runs"

    def events(self, run_id: str) -> str:
        """Where a run's events are."""
        return f"{self.runs}/{run_id}/events"

    @contextlib.asynccontextmanager
    async def journal(self) -> AsyncIterator[Journal]:
        """The stack's journal, opened from here."""
        path = self.data_dir / "journal.db"
        opened = PostgresJournal(self.dsn) if self.dsn else SqliteJournal(path)
        try:
            yield opened
        finally:
            await opened.close()


def allow_many_files() -> None:
    """Raise this process's limit of open files, and so its children's, for 1,000 sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.asynccontextmanager
async def process(
    *command: str, log: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child in a process group of its own; at the end it is told to stop, then made to."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**os.environ, **ORDINARY, **(env or {})},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await child.wait()
        except TimeoutError:
            print(f"{command[:3]} did not stop within {_STOP_S} s: killed", file=sys.stderr)
            os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


@contextlib.asynccontextmanager
async def module(
    name: str, *arguments: str, log: Path, url: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m benchmarks.NAME …`, once it answers at `url`.

    Raises:
        NotStarted: it did not.
    """
    command = (sys.executable, "-m", f"benchmarks.{name}", *arguments)
    async with process(*command, log=log) as child:
        await answering(url, child, log)
        yield child


@contextlib.asynccontextmanager
async def peers(stack: Stack) -> AsyncIterator[Stack]:
    """The stack with a worker for the floors, which knows nothing of Relayline."""
    address = stack.temporal.service_client.config.target_host
    command = (sys.executable, "-m", "benchmarks.peer_worker", address)
    async with process(*command, log=stack.data_dir / "peers.log") as child:
        yield stack._replace(peer_pid=child.pid)


def settings(provider: str) -> dict[str, str]:
    """The environment of Relayline's processes, with that model provider."""
    return {
        "RELAYLINE_CATALOG": CATALOG,
        **MANY_CLIENTS,
        "RELAYLINE_COMPATIBLE_BASE_URL": f"{provider}/v1",
        "RELAYLINE_COMPATIBLE_API_KEY": "none",
    }


@contextlib.asynccontextmanager
async def running_stack(
    data_dir: Path, workers: int = 1, env: Mapping[str, str] | None = None
) -> AsyncIterator[Stack]:
    """`relayline dev` with its journal in SQLite, and a model provider, until the block ends.

    Raises:
        NotStarted: something did not come up.
    """
    allow_many_files()
    api, temporal, ui, model = (free_port() for _ in range(4))
    provider = f"http://127.0.0.1:{model}"
    base = f"http://127.0.0.1:{api}"
    ports = ("--api-port", str(api), "--temporal-port", str(temporal), "--ui-port", str(ui))
    environment = {**settings(provider), "TEMPORAL_ADDRESS": "", **(env or {})}
    dev = (str(Path(sys.executable).with_name("relayline")), "dev", "--no-reload")
    options = ("--data-dir", str(data_dir), "--workers", str(workers), *ports)
    log = data_dir / "dev.log"
    async with (
        module("provider", str(model), log=data_dir / "provider.log", url=f"{provider}/healthz"),
        process(*dev, *options, log=log, env=environment) as child,
    ):
        await answering(f"{base}/readyz", child, log)
        client = await Client.connect(f"127.0.0.1:{temporal}")
        stack = Stack(base, lambda: _pids(data_dir), data_dir, client, provider)
        await _warm(stack)
        yield stack


async def _warm(stack: Stack) -> None:
    """Runs until one has ended: the worker is up and everything is imported."""
    for _ in range(3):
        body = {"agent": "assistant", "input": '{"rehearse":[{"say":"warm up"}]}'}
        _, reply = await fetch(stack.runs, body=body)
        assert reply.status in {200, 202}, reply


def _pids(data_dir: Path) -> dict[str, list[int]]:
    known = DevState.model_validate_json((data_dir / DEV_FILE).read_text())
    pids = {
        "worker": [worker.pid for worker in known.workers],
        "api": [known.api.pid],
        "temporal": [known.temporal.pid],
    }
    return {kind: [pid for pid in of_kind if pid] for kind, of_kind in pids.items()}


async def answering(url: str, child: asyncio.subprocess.Process, log: Path) -> None:
    """Return when `url` answers 200."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and child.returncode is None:
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            _, reply = await fetch(url, stream=False, timeout_s=5)
            if reply.status == 200:
                return
        await asyncio.sleep(0.1)
    raise NotStarted(f"nothing answers at {url}; the process said:\n{_said(log)}")


def _said(log: Path) -> str:
    return log.read_text()[-2000:] if log.exists() else "(nothing)"
