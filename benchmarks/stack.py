"""The real processes under measurement: `relayline dev` and its helpers, started and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

from temporalio.client import Client

from benchmarks.sse import fetch
from relayline.dev.ports import free_port

ROOT = Path(__file__).parents[1]
_START_S = 60
_STOP_S = 20
_FILES = 16_384
ORDINARY = {"PYTHONDONTWRITEBYTECODE": ""}
"""Bytecode is cached, as where packages are installed: Temporal's sandbox loads a workflow's module
anew for each run, and would compile it each time."""
CATALOG = "benchmarks.stop_tools"
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class NotStarted(Exception):
    """A process did not come up; the message ends with what it said."""


class Stack(NamedTuple):
    """Where everything is."""

    api: str
    """Base URL."""
    api_pid: int
    worker_pid: int
    data_dir: Path
    temporal: Client
    provider: str
    """Base URL of the timed model provider, see `benchmarks.provider`."""

    @property
    def runs(self) -> str:
        """Where runs are submitted."""
        return f"{self.api}/v1/runs"

    def events(self, run_id: str) -> str:
        """Where a run's events are."""
        return f"{self.runs}/{run_id}/events"


def cpu_s(pid: int) -> float:
    """Processor seconds that the process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def tree_cpu_s(pid: int) -> float:
    """The same of the process and its children, also of those that have ended."""
    running = 0.0
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
            running += cpu_s(int(child))
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) * _TICK_S
    return running + ended + cpu_s(pid)


def rss_mb(pid: int) -> float:
    """Resident memory of the process in MB (10⁶ bytes)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(kib) * 1024 / 1e6


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


def settings(provider: str) -> dict[str, str]:
    """The environment of Relayline's processes, with that model provider."""
    return {
        "RELAYLINE_CATALOG": CATALOG,
        "RELAYLINE_MAX_STREAMS_PER_CLIENT": "4096",
        "RELAYLINE_MAX_CONNECTIONS_PER_CLIENT": "8192",
        "RELAYLINE_COMPATIBLE_BASE_URL": f"{provider}/v1",
        "RELAYLINE_COMPATIBLE_API_KEY": "none",
    }


@contextlib.asynccontextmanager
async def running_stack(data_dir: Path) -> AsyncIterator[Stack]:
    """`relayline dev` with one worker, and a model provider, until the block ends.

    Raises:
        NotStarted: something did not come up.
    """
    allow_many_files()
    api, temporal, ui, model = (free_port() for _ in range(4))
    provider = f"http://127.0.0.1:{model}"
    base = f"http://127.0.0.1:{api}"
    ports = ("--api-port", str(api), "--temporal-port", str(temporal), "--ui-port", str(ui))
    env = {**settings(provider), "TEMPORAL_ADDRESS": ""}
    command = str(Path(sys.executable).with_name("relayline"))
    log = data_dir / "dev.log"
    async with (
        module("provider", str(model), log=data_dir / "provider.log", url=f"{provider}/healthz"),
        process(command, "dev", "--data-dir", str(data_dir), *ports, log=log, env=env) as child,
    ):
        await answering(f"{base}/readyz", child, log)
        client = await Client.connect(f"127.0.0.1:{temporal}")
        api_pid, worker_pid = _pids(data_dir)
        stack = Stack(base, api_pid, worker_pid, data_dir, client, provider)
        await _warm(stack)
        yield stack


async def _warm(stack: Stack) -> None:
    """Runs until one has ended: the worker is up and everything is imported."""
    for _ in range(3):
        body = {"agent": "assistant", "input": '{"rehearse":[{"say":"warm up"}]}'}
        _, reply = await fetch(stack.runs, body=body)
        assert reply.status in {200, 202}, reply


def _pids(data_dir: Path) -> tuple[int, int]:
    known = json.loads((data_dir / "dev.json").read_text())
    return int(known["api"]["pid"]), int(known["workers"][0]["pid"])


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
