"""Workers and API processes apart, on one Temporal and a journal in Postgres as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from benchmarks.processors import of_kinds
from benchmarks.sse import fetch
from benchmarks.stack import MANY_CLIENTS, ORDINARY, Stack, allow_many_files, module, settings
from relayline.contracts.runs import TASK_QUEUE
from relayline.dev.ports import free_port
from relayline.journal.postgres.migrate import migrate
from tests.chaos.cluster import Cluster
from tests.postgres_server import DURABLE, PostgresServer

_STARTED_S = 60
_WARM_RUNS = 20
_OURS = ("api", "worker", "temporal")


@dataclass(frozen=True)
class Apart:
    """What runs."""

    cluster: Cluster
    postgres: PostgresServer
    temporal: Client

    @property
    def apis(self) -> Sequence[str]:
        """Base URLs."""
        return self.cluster.api_urls

    @property
    def dsn(self) -> str:
        """Address of the journal."""
        return self.cluster.journal

    def pids(self) -> dict[str, list[int]]:
        """Processes that run now, by kind."""
        ours = {kind: self.cluster.pids_of(kind) for kind in _OURS}
        return ours | {"postgres": [self.postgres.pid]}

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds used so far, by kind of process."""
        return of_kinds(self.pids())


@asynccontextmanager
async def running_apart(
    data_dir: Path, *, apis: int, workers: int, env: Mapping[str, str] | None = None
) -> AsyncIterator[Apart]:
    """Everything up and warm, until the block ends.

    Args:
        data_dir: A folder that does not exist.
        apis: API processes.
        workers: Workers.
        env: More settings.
    """
    allow_many_files()
    environment = {**MANY_CLIENTS, **ORDINARY, **(env or {})}
    with PostgresServer(DURABLE) as server:
        dsn = server.create_database("journal")
        await migrate(dsn)
        async with Cluster(
            data_dir, apis=apis, workers=workers, env=environment, server=server, journal=dsn
        ) as cluster:
            apart = Apart(cluster, server, await cluster.temporal())
            if workers:
                await _warm(apart, workers)
            yield apart


@asynccontextmanager
async def postgres_stack(
    data_dir: Path, workers: int = 1, env: Mapping[str, str] | None = None
) -> AsyncIterator[Stack]:
    """One API process and a model provider, with the journal in Postgres, until the block ends.

    Raises:
        NotStarted: something did not come up.
    """
    port = free_port()
    provider = f"http://127.0.0.1:{port}"
    data, log = data_dir / "data", data_dir / "provider.log"
    more = {**settings(provider), **(env or {})}
    async with (
        module("provider", str(port), log=log, url=f"{provider}/healthz"),
        running_apart(data, apis=1, workers=workers, env=more) as apart,
    ):
        [api] = apart.apis
        yield Stack(api, apart.pids, data, apart.temporal, provider, apart.dsn)


async def _warm(apart: Apart, workers: int) -> None:
    """Runs until they have ended: all workers ask for tasks, and everything is imported."""
    async with asyncio.timeout(_STARTED_S):
        while await _working(apart.temporal) < workers:
            await asyncio.sleep(0.1)
    body = {"agent": "assistant", "input": '{"rehearse":[{"say":"warm up"}]}'}
    urls = [f"{url}/v1/runs" for url in apart.apis for _ in range(_WARM_RUNS)]
    for _, reply in await asyncio.gather(*(fetch(url, body=body) for url in urls)):
        assert reply.frames()[-1].type == "run.completed", reply


async def _working(temporal: Client) -> int:
    """How many workers ask for tasks of runs."""
    found = await temporal.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=temporal.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return len({poller.identity for poller in found.pollers})
