"""`relayline dev`: Temporal, workers and the API as child processes of one supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from embedded.errors import DevError
from embedded.supervisor import Child, ChildSpec, Supervisor
from embedded.temporal_server import find_binary, server_command, wait_until_up
from temporal_client import TemporalUnreachable, configured_address, connect

READY_BOUND_S = 30.0
_HOST = "127.0.0.1"
_DEFAULT_PORTS = {"api": 8000, "temporal": 7233, "ui": 8233, "local": 8012}


@dataclass(frozen=True)
class DevOptions:
    """What `relayline dev` was asked for; a port of None takes the default or a free one."""

    data_dir: Path = Path(".relayline")
    api_port: int | None = None
    temporal_port: int | None = None
    ui_port: int | None = None
    workers: int = 1
    local_model: bool = False


@dataclass(frozen=True)
class DevState:
    """Where everything is: the content of `dev.json`."""

    api_url: str
    api_pid: int | None
    temporal_address: str
    temporal_ui: str
    temporal_pid: int | None
    worker_pids: tuple[int | None, ...]

    def to_json(self) -> str:
        """`{"api": {url, pid}, "temporal": {address, ui, pid}, "workers": [{pid}]}`."""
        return json.dumps(
            {
                "api": {"url": self.api_url, "pid": self.api_pid},
                "temporal": {
                    "address": self.temporal_address,
                    "ui": self.temporal_ui,
                    "pid": self.temporal_pid,
                },
                "workers": [{"pid": pid} for pid in self.worker_pids],
            }
        )


async def run_dev(options: DevOptions, ready: Callable[[DevState], None]) -> int:
    """Start everything, call `ready` when it answers, run until SIGINT or SIGTERM, stop everything.

    A second signal ends the children at once. Returns the exit code.

    Raises:
        DevError: something can't be had (a port, the folder, the binary, the configured
            Temporal); nothing is left running then.
    """
    stop = _signals()
    with _locked(options.data_dir):
        stack = _Stack(options)
        try:
            await _unless(stop, stack.start())
            if not stop.is_set():
                ready(stack.state())
            await stop.wait()
        finally:
            stop.clear()
            await _unless(stop, stack.supervisor.stop())
            await stack.supervisor.kill()
            stack.file.unlink(missing_ok=True)
    return 0


class _Stack:
    """The children, and the file that tells where they are."""

    def __init__(self, options: DevOptions) -> None:
        self.options = options
        self.file = options.data_dir / "dev.json"
        self.supervisor = Supervisor(options.data_dir / "logs", self._changed)
        self._complete = False
        self._given = configured_address()
        self._api_port = _port("api", options.api_port)
        if self._given is None:
            self._binary = find_binary()
            self._temporal_port = _port("temporal", options.temporal_port)
            self._ui_port = _port("ui", options.ui_port)
        self._api: Child | None = None
        self._temporal: Child | None = None
        self._workers: list[Child] = []
        self._env = {"RELAYLINE_DATA_DIR": str(options.data_dir.absolute())}

    def state(self) -> DevState:
        """What runs where."""
        own = self._given is None
        return DevState(
            api_url=f"http://{_HOST}:{self._api_port}",
            api_pid=self._api.pid if self._api else None,
            temporal_address=self._given or f"{_HOST}:{self._temporal_port}",
            temporal_ui=f"http://{_HOST}:{self._ui_port}" if own else "",
            temporal_pid=self._temporal.pid if self._temporal else None,
            worker_pids=tuple(worker.pid for worker in self._workers),
        )

    async def start(self) -> None:
        """Temporal and the API side by side, then the workers; returns when all answer.

        Raises:
            DevError: one of them did not come up.
        """
        if self._given is None:
            await self._start_temporal()
        else:
            await _check_given(self._given)
        if self.options.local_model:
            await self._start_local_model()
        self._api = await self.supervisor.start(self._spec("api", "api.app"))
        if self._given is None:
            await wait_until_up(self.state().temporal_address)
        for number in range(self.options.workers):
            spec = self._spec(f"worker-{number + 1}", "worker")
            self._workers.append(await self.supervisor.start(spec))
        self._complete = True
        self._changed()
        await self._wait_until_ready()

    async def _start_temporal(self) -> None:
        command = server_command(
            self._binary,
            port=self._temporal_port,
            ui_port=self._ui_port,
            database=self.options.data_dir / "temporal.db",
        )
        self._temporal = await self.supervisor.start(ChildSpec("temporal", command))
        self._env |= {
            "TEMPORAL_ADDRESS": self.state().temporal_address,
            "RELAYLINE_TEMPORAL_UI": self.state().temporal_ui,
        }

    async def _start_local_model(self) -> None:
        from embedded.local_model import check_installed  # noqa: PLC0415  an optional extra

        check_installed()
        port = _port("local", None)
        command = (sys.executable, "-m", "embedded.local_model", "--port", str(port))
        await self.supervisor.start(ChildSpec("local", command))
        self._env["RELAYLINE_LOCAL_BASE_URL"] = f"http://{_HOST}:{port}/v1"

    def _spec(self, name: str, module: str) -> ChildSpec:
        env = {
            **self._env,
            "RELAYLINE_API_HOST": _HOST,
            "RELAYLINE_API_PORT": str(self._api_port),
        }
        return ChildSpec(name, (sys.executable, "-m", module), env)

    async def _wait_until_ready(self) -> None:
        """Until the API says that it is.

        Raises:
            DevError: it did not within `READY_BOUND_S`.
        """
        async with httpx.AsyncClient(base_url=self.state().api_url, timeout=2) as client:
            try:
                async with asyncio.timeout(READY_BOUND_S):
                    while not await _answers(client):
                        await asyncio.sleep(0.05)
            except TimeoutError as error:
                log = self.options.data_dir / "logs" / "api.log"
                raise DevError(
                    f"the API did not come up in {READY_BOUND_S:g} s; see {log}"
                ) from error

    def _changed(self) -> None:
        """Rewrite the file, in one step."""
        if not self._complete:
            return
        fresh = self.file.with_suffix(".new")
        fresh.write_text(self.state().to_json() + "\n")
        fresh.replace(self.file)


def _port(kind: str, given: int | None) -> int:
    """The given port, else the default one, else a free one.

    Raises:
        DevError: the given one is taken.
    """
    if given and not _is_free(given):
        raise DevError(f"port {given} is in use: stop what uses it, or give another --{kind}-port")
    if given:
        return given
    default = _DEFAULT_PORTS[kind]
    if given is None and _is_free(default):
        return default
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for this process alone.

    Raises:
        DevError: it can't be written, or another `relayline dev` holds it.
    """
    try:
        (data_dir / "logs").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
        lock = (data_dir / "dev.lock").open("w")
    except OSError as error:
        raise DevError(
            f"the data folder {data_dir} can't be written ({error.strerror}): "
            "give another with --data-dir"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DevError(
                f"another `relayline dev` uses {data_dir}: stop it, or give another --data-dir"
            ) from error
        yield


def _signals() -> asyncio.Event:
    """Set by SIGINT and SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do the work; leave it where it is when a signal comes first."""
    doing = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if doing.done():
        doing.result()
        return
    doing.cancel()
    await asyncio.wait({doing})


async def _check_given(address: str) -> None:
    try:
        await connect()
    except TemporalUnreachable as error:
        raise DevError(f"{error} (TEMPORAL_ADDRESS or a profile names {address})") from error


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
