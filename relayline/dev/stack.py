"""`relayline dev`: Temporal, workers and the API as child processes of one supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import httpx

from relayline.dev.configured import check_temporal, configured_temporal
from relayline.dev.data_dir import hold, private_files
from relayline.dev.encryption import encryption_of
from relayline.dev.local_model import check_installed
from relayline.dev.logs import rotate_logs
from relayline.dev.options import DevError, DevOptions
from relayline.dev.ports import HOST, choose_ports, free_port
from relayline.dev.reload import Files, Reloader, check_catalog
from relayline.dev.state_file import DEV_FILE, ApiState, DevState, TemporalState, WorkerState
from relayline.dev.supervisor import Supervisor
from relayline.dev.temporal_server import NAMESPACE, find_binary, server_command, wait_until_up
from relayline.runtime.children.child import Child, ChildSpec
from relayline.runtime.children.stopping import stop_signals, unless
from relayline.runtime.hiding import without_secrets

READY_BOUND_S = 30.0
WORKER_STOP_S = 5.0
"""Seconds that a stopping worker gets; its running calls get one second less."""
API_STOP_S = 7.0
Ready = Callable[[DevState], None]
START_DEATHS = 2
"""Quick deaths of one child after which the start gives up."""


async def run_dev(options: DevOptions, ready: Ready | None = None) -> int:
    """Start everything, call `ready` when it answers, run until a signal, stop everything.

    SIGINT, SIGTERM and SIGHUP stop it; a second signal kills the children at once. Prints on
    stderr why a child does not run. Returns the exit code.

    Raises:
        DevError: something is missing or taken (a port, the folder, the binary, the configured
            Temporal, the catalog) or does not start; then nothing is left running.
    """
    with private_files() as umask, hold(options.data_dir), stop_signals() as stop:
        file = options.data_dir / DEV_FILE
        file.unlink(missing_ok=True)  # left by a killed one
        if options.own_key is not None:
            await options.own_key()
        stack = _Stack(await _plan(options, umask))
        logs = asyncio.create_task(rotate_logs(options.data_dir / "logs", report))
        try:
            await unless(stop, stack.start())
            if not stop.is_set() and ready is not None:
                ready(stack.state())
            await unless(stop, stack.keep())
        finally:
            stop.clear()
            await unless(stop, stack.supervisor.stop())
            await stack.supervisor.kill()
            logs.cancel()
            file.unlink(missing_ok=True)
    return 0


class _Plan(NamedTuple):
    """What a stack is made of."""

    options: DevOptions
    umask: int
    """For workers: what their tools write is not only for this user."""
    ports: dict[str, int]
    files: Files
    """What the catalog is made from."""
    address: str
    """Temporal's."""
    temporal_command: tuple[str, ...] = ()
    """Starts Temporal; empty where it is not one of the children."""
    keys: Mapping[str, str] = MappingProxyType({})
    """Where the children find the keys of what Temporal stores, if that is not in the
    environment."""


async def _plan(options: DevOptions, umask: int) -> _Plan:
    """Check what can be checked before anything starts.

    Raises:
        DevError: something is missing.
    """
    if options.local_model:
        check_installed()
    encrypts, keys = encryption_of(options)
    checked = (options.commands.catalog, options.data_dir, keys)
    files = await check_catalog(*checked) if options.catalog else frozenset()
    address = configured_temporal()
    names = {"api": options.api_port}
    if address is None:
        names |= {"temporal": options.temporal_port, "ui": options.ui_port}
    if encrypts:
        names |= {"codec": None}
    if options.local_model:
        names |= {"local": 0}
    ports = choose_ports(names)
    if address is not None:
        await check_temporal()
        report(f"using the Temporal at {address}, from TEMPORAL_ADDRESS or a profile")
        return _Plan(options, umask, ports, files, address, (), keys)
    command = server_command(
        find_binary(),
        port=ports["temporal"],
        ui_port=ports["ui"],
        database=options.data_dir / "temporal.db",
        codec=_codec_url(ports),
    )
    return _Plan(options, umask, ports, files, f"{HOST}:{ports['temporal']}", command, keys)


def _codec_url(ports: Mapping[str, int]) -> str:
    """Where the Web UI and the Temporal CLI have payloads decrypted; empty without encryption."""
    return f"http://{HOST}:{ports['codec']}" if "codec" in ports else ""


class _Stack:
    """The children, and the file that says where they are."""

    def __init__(self, plan: _Plan) -> None:
        """Start nothing yet."""
        options, self._umask, self._ports, files, self._address = plan[:5]
        self._temporal_command, self._keys = plan.temporal_command, plan.keys
        self._options = options
        self.supervisor = Supervisor(options.data_dir / "logs", self._changed, report)
        self._ui = os.environ.get("RELAYLINE_TEMPORAL_UI", "")
        if self._temporal_command:
            self._ui = f"http://{HOST}:{self._ports['ui']}"
        self._api: Child | None = None
        self._temporal: Child | None = None
        self._workers: list[Child] = []
        self._all_started = False
        self._reloader = Reloader(
            files,
            partial(check_catalog, options.commands.catalog, options.data_dir, self._keys),
            self._restart,
            report,
        )

    def state(self) -> DevState:
        """Where everything runs."""
        temporal_pid = self._temporal.pid if self._temporal else None
        return DevState(
            api=ApiState(
                url=f"http://{HOST}:{self._ports['api']}", pid=self._api.pid if self._api else None
            ),
            temporal=TemporalState(address=self._address, ui=self._ui, pid=temporal_pid),
            workers=tuple(WorkerState(pid=worker.pid) for worker in self._workers),
            codec=_codec_url(self._ports),
        )

    async def start(self) -> None:
        """Start Temporal and the API together, then the workers; return when all answer.

        Raises:
            DevError: one of them did not start.
        """
        env = self._child_env()
        commands = self._options.commands
        if self._temporal_command:
            temporal = ChildSpec("temporal", self._temporal_command, without_secrets(os.environ))
            self._temporal = await self.supervisor.start(temporal)
        if "local" in self._ports:
            command = (*commands.local_model, "--port", str(self._ports["local"]))
            await self.supervisor.start(ChildSpec("local", command, without_secrets(env)))
        if "codec" in self._ports:
            where = ("--port", str(self._ports["codec"]))
            open_ = env | {"RELAYLINE_AUTH": "off"}  # the Web UI beside it sends no credentials
            await self.supervisor.start(ChildSpec("codec", (*commands.codec, *where), open_))
        self._api = await self.supervisor.start(ChildSpec("api", commands.api, env, API_STOP_S))
        if self._temporal_command:
            await wait_until_up(self._address, self._check_children)
        for number in range(1, self._options.workers + 1):
            port = free_port()
            spec = ChildSpec(
                f"worker-{number}",
                commands.worker,
                env | {"RELAYLINE_WORKER_PORT": str(port), "RELAYLINE_WORKER_HOST": HOST},
                WORKER_STOP_S,
                umask=self._umask,
                health_port=port,
            )
            self._workers.append(await self.supervisor.start(spec))
        self._all_started = True
        self._changed()
        await self._wait_until_ready()

    async def keep(self) -> None:
        """Load the catalog again when its files change; return when a child refuses to start.

        Raises:
            DevError: a child's first process exited with an error, soon after its start.
        """
        if self._options.reload and self._reloader.files:
            await unless(self.supervisor.refused, self._reloader.run())
        await self.supervisor.refused.wait()
        self._check_children()

    async def _restart(self) -> None:
        """Start the workers again; their running calls get the time of a stop."""
        await asyncio.gather(*(worker.restart() for worker in self._workers))

    def _child_env(self) -> dict[str, str]:
        """The environment of the workers, the API and the local model."""
        env = dict(os.environ)
        if self._temporal_command:
            env = {key: env[key] for key in env if not key.startswith("TEMPORAL_")}
            env["TEMPORAL_ADDRESS"] = self._address
            env["TEMPORAL_NAMESPACE"] = NAMESPACE
            env["TEMPORAL_CONFIG_FILE"] = (
                os.devnull
            )  # its TLS settings and keys are for another server
        if "local" in self._ports:
            env["RELAYLINE_LOCAL_BASE_URL"] = f"http://{HOST}:{self._ports['local']}/v1"
        return env | {
            **self._keys,
            "RELAYLINE_DATA_DIR": str(self._options.data_dir.absolute()),
            "RELAYLINE_API_HOST": HOST,
            "RELAYLINE_API_PORT": str(self._ports["api"]),
            "RELAYLINE_TEMPORAL_UI": self._ui,
            "RELAYLINE_PAGE_URL": f"http://{HOST}:{self._ports['api']}",
            "RELAYLINE_WEBHOOK_LOOPBACK": "1",
            "RELAYLINE_DRAIN_S": f"{WORKER_STOP_S - 1:g}",
        }

    async def _wait_until_ready(self) -> None:
        """Return when the API says that it is ready.

        Raises:
            DevError: it was not ready within `READY_BOUND_S`, or a child keeps dying.
        """
        async with httpx.AsyncClient(
            base_url=self.state().api.url, timeout=2, trust_env=False
        ) as client:
            try:
                async with asyncio.timeout(READY_BOUND_S):
                    while not await _is_ready(client):
                        self._check_children()
                        await asyncio.sleep(0.02)
            except TimeoutError as error:
                logs = self._options.data_dir / "logs"
                raise DevError(
                    f"the API was not ready in {READY_BOUND_S:g} s: see api.log in {logs}"
                ) from error

    def _check_children(self) -> None:
        """Check that each child could start.

        Raises:
            DevError: one exits with an error or keeps dying; the message has its last words.
        """
        if self.supervisor.refusal:
            raise DevError(self.supervisor.refusal)
        for child in self.supervisor.children:
            if child.quick_deaths >= START_DEATHS:
                raise DevError(
                    f"{child.spec.name} does not start, see {child.log}: {child.last_log_line()}"
                )

    def _changed(self) -> None:
        """Rewrite the file."""
        if not self._all_started:
            return
        try:
            self.state().write(self._options.data_dir)
        except OSError as error:
            report(f"{self._options.data_dir / DEV_FILE} can't be written: {error.strerror}")


async def _is_ready(client: httpx.AsyncClient) -> bool:
    """Whether the API answers 200 to both probes."""
    try:
        answers = [await client.get(probe) for probe in ("/healthz", "/readyz")]
    except httpx.HTTPError:
        return False
    return all(answer.status_code == httpx.codes.OK for answer in answers)


def report(text: str) -> None:
    """Tell people on stderr."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"relayline dev: {text}\n")
        sys.stderr.flush()
