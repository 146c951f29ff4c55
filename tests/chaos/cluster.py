"""Several API processes and workers on one journal and one Temporal, each by itself."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import httpx
from temporalio.client import Client

from relayline.dev.ports import free_port
from relayline.dev.supervisor import Supervisor
from relayline.dev.temporal_server import NAMESPACE, find_binary, server_command, wait_until_up
from relayline.runtime.children.child import Child, ChildSpec
from relayline.runtime.payloads.converter import converter_for
from relayline.runtime.payloads.ring import ListedKeys
from tests.dev_stack import READY_S, ROOT
from tests.selection import starting

CONTINUE_AFTER = 30
"""Events of history after which this Temporal suggests to go on in a new execution."""
DRAIN_S = 4.0


class JournalServer(Protocol):
    """A server that keeps the journal, started already; its calls block."""

    def start(self) -> None:
        """Start it again, and wait until it answers."""
        ...

    def stop(self) -> None:
        """Let it stop as it does when it is told to."""
        ...

    def kill(self) -> None:
        """SIGKILL."""
        ...


class Cluster:
    """Enter it to start; each process is started again when it dies, until it is left."""

    def __init__(
        self,
        data_dir: Path,
        *,
        apis: int,
        workers: int,
        env: Mapping[str, str],
        server: JournalServer | None = None,
        journal: str = "",
    ) -> None:
        self.data_dir = data_dir
        self.journal = journal or str(data_dir / "journal.db")
        self.journal_server = server
        self._workers = workers
        self._apis = apis
        self._ports: list[int] = []
        self._temporal_port = 0
        self._env = env
        logs = data_dir / "logs"
        logs.mkdir(parents=True)
        self._supervisor = Supervisor(logs, lambda: None, lambda _: None)

    async def __aenter__(self) -> Self:
        starting()
        try:
            await self._start()
        except BaseException:
            await self._supervisor.kill()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._supervisor.stop()

    @property
    def api_urls(self) -> Sequence[str]:
        """Where each API process listens."""
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    @property
    def temporal_address(self) -> str:
        """Of the embedded server."""
        return f"127.0.0.1:{self._temporal_port}"

    def children(self, target: str) -> list[Child]:
        """Those of that kind; each can be stopped, killed, and started again."""
        return [it for it in self._supervisor.children if it.spec.kind == target]

    def pids_of(self, target: str) -> list[int]:
        """The processes of that kind."""
        return [child.pid for child in self.children(target) if child.pid is not None]

    async def temporal(self) -> Client:
        """A client of its Temporal."""
        ring = ListedKeys.parse(self._env.get("RELAYLINE_PAYLOAD_KEYS", ""))
        converter = converter_for(ring, NAMESPACE)
        return await Client.connect(self.temporal_address, data_converter=converter)

    async def _start(self) -> None:
        self._temporal_port = free_port()
        command = server_command(
            find_binary(),
            port=self._temporal_port,
            ui_port=free_port(),
            database=self.data_dir / "temporal.db",
        )
        soon = f"limit.historyCount.suggestContinueAsNew={CONTINUE_AFTER}"
        more = ("--dynamic-config-value", soon)
        await self._supervisor.start(ChildSpec("temporal", (*command, *more)))
        await wait_until_up(self.temporal_address, lambda: None)
        env = self._child_env()
        for number in range(1, self._workers + 1):
            await self._started(f"worker-{number}", "relayline.worker", env)
        self._ports = [free_port() for _ in range(self._apis)]
        for number, port in enumerate(self._ports, 1):
            await self._started(
                f"api-{number}", "relayline.api.app", env | {"RELAYLINE_API_PORT": str(port)}
            )
        async with asyncio.timeout(READY_S), httpx.AsyncClient(timeout=2) as http:
            for url in self.api_urls:
                while not await _ready(http, url):
                    await asyncio.sleep(0.05)

    async def _started(self, name: str, module: str, env: Mapping[str, str]) -> None:
        command = (sys.executable, "-P", "-m", module)
        await self._supervisor.start(ChildSpec(name, command, env, DRAIN_S + 1))

    def _child_env(self) -> dict[str, str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith("TEMPORAL_")}
        return env | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])]),
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "RELAYLINE_DATA_DIR": str(self.data_dir),
            "RELAYLINE_JOURNAL": self.journal,
            "RELAYLINE_DRAIN_S": f"{DRAIN_S:g}",
            "RELAYLINE_MAX_WORKER_LOSSES": "1000",  # each kill here is one from outside
            **self._env,
        }


async def _ready(http: httpx.AsyncClient, url: str) -> bool:
    """Whether the API is ready, and a worker has told it of its agents."""
    try:
        ready = (await http.get(f"{url}/readyz")).status_code == httpx.codes.OK
        agents = await http.get(f"{url}/v1/agents")
        is_open = agents.status_code == httpx.codes.OK
        return ready and (not is_open or agents.json()["build"] is not None)
    except httpx.HTTPError:
        return False
