"""Several workers and API processes on one Postgres and one Temporal, each started by itself."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from benchmarks.sse import fetch
from benchmarks.stack import allow_many_files, answering, free_port, process, tree_cpu_s
from contracts.runs import TASK_QUEUE
from embedded.temporal_server import NAMESPACE, find_binary, server_command, wait_until_up
from journal.migrate import migrate
from tests.postgres_server import DURABLE, PostgresServer

_STARTED_S = 60
_PROGRAM = str(Path(sys.executable).with_name("relayline"))


class Cluster:
    """What runs; more of it can be started, and is stopped by whoever holds the stack."""

    def __init__(self, stack: AsyncExitStack, data_dir: Path, dsn: str) -> None:
        self.data_dir = data_dir
        self.dsn = dsn
        """Address of the journal."""
        self.apis: list[str] = []
        """Base URLs."""
        self.pids: dict[str, list[int]] = {"api": [], "worker": []}
        """Also of `temporal` and `postgres`."""
        self._stack = stack
        self._env: dict[str, str] = {}

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds used so far, by kind."""
        return {kind: sum(map(tree_cpu_s, pids)) for kind, pids in self.pids.items()}

    async def start_temporal(self, env: Mapping[str, str]) -> None:
        """Before all others, which get this environment, too."""
        port = free_port()
        command = server_command(
            find_binary(), port=port, ui_port=free_port(), database=self.data_dir / "temporal.db"
        )
        child, _ = await self._start("temporal", *command)
        self.pids["temporal"] = [child.pid]
        await wait_until_up(f"127.0.0.1:{port}", lambda: None)
        self._env = {
            "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "RELAYLINE_DATA_DIR": str(self.data_dir),
            "RELAYLINE_JOURNAL": self.dsn,
            "RELAYLINE_MAX_STREAMS_PER_CLIENT": "4096",
            **env,
        }

    async def start_api(self) -> None:
        """One API process more."""
        url = f"http://127.0.0.1:{free_port()}"
        env = {"RELAYLINE_API_PORT": url.rpartition(":")[2]}
        child, log = await self._start("api", _PROGRAM, "api", env=env)
        await answering(f"{url}/readyz", child, log)
        self.apis.append(url)
        self.pids["api"].append(child.pid)

    async def start_worker(self) -> None:
        """One worker more; it waits for work when this returns, and everything is imported."""
        child, _ = await self._start("worker", _PROGRAM, "worker")
        self.pids["worker"].append(child.pid)
        async with asyncio.timeout(_STARTED_S):
            while await self._working() < len(self.pids["worker"]):
                await asyncio.sleep(0.1)
        warm = {"agent": "assistant", "input": '{"rehearse":[{"say":"warm up"}]}'}
        urls = [f"{url}/v1/runs" for url in self.apis * 10]
        replies = await asyncio.gather(*(fetch(url, body=warm) for url in urls))
        for _, reply in replies:
            assert reply.frames()[-1].type == "run.completed", reply

    async def _working(self) -> int:
        """How many workers ask for tasks of runs."""
        client = await Client.connect(self._env["TEMPORAL_ADDRESS"])
        asked = DescribeTaskQueueRequest(
            namespace=NAMESPACE,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        found = await client.workflow_service.describe_task_queue(asked)
        return len({poller.identity for poller in found.pollers})

    async def _start(
        self, kind: str, *command: str, env: Mapping[str, str] | None = None
    ) -> tuple[asyncio.subprocess.Process, Path]:
        log = self.data_dir / f"{kind}.log"
        started = process(*command, log=log, env={**self._env, **(env or {})})
        return await self._stack.enter_async_context(started), log


@asynccontextmanager
async def running_cluster(
    data_dir: Path, *, apis: int, workers: int, env: Mapping[str, str] | None = None
) -> AsyncIterator[Cluster]:
    """A cluster with the journal in Postgres as it comes, until the block ends.

    Raises:
        NotStarted: something did not come up.
    """
    allow_many_files()
    async with AsyncExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, PostgresServer(DURABLE))
        dsn = server.create_database("journal")
        await migrate(dsn)
        cluster = Cluster(stack, data_dir, dsn)
        cluster.pids["postgres"] = [server.pid]
        await cluster.start_temporal(env or {})
        for _ in range(apis):
            await cluster.start_api()
        for _ in range(workers):
            await cluster.start_worker()
        yield cluster
