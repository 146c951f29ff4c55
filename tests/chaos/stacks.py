"""What a campaign is played on: processes, their addresses, and the journal that they share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from temporalio.client import Client

from relayline.contracts.runs import DEFAULT_TENANT
from relayline.journal.access.audit import row_without_request
from relayline.journal.postgres.migrate import migrate
from relayline.journal.table import Storage
from relayline.runtime.process import build_journal
from relayline.runtime.settings import Settings
from tests.chaos.agents import FOLDER, MODULE
from tests.chaos.cluster import Cluster, JournalServer
from tests.dev_stack import DevStack
from tests.postgres_server import PostgresServer


class Stack(Protocol):
    """Temporal, workers and API processes, each started again when it dies."""

    data_dir: Path

    @property
    def api_urls(self) -> Sequence[str]:
        """Where each API process listens."""
        ...

    @property
    def journal(self) -> str:
        """The journal's address, as `RELAYLINE_JOURNAL` takes it."""
        ...

    @property
    def journal_server(self) -> JournalServer | None:
        """The journal's own server, None for a file."""
        ...

    def pids_of(self, target: str) -> list[int]:
        """The processes of that kind: `worker`, `api` or `temporal`."""
        ...

    async def temporal(self) -> Client:
        """A client of its Temporal."""
        ...


def opened(stack: Stack) -> Storage:
    """The journal of the stack, to read from; close it."""
    return build_journal(Settings(journal=stack.journal))


async def give_key(stack: Stack) -> None:
    """Give the tenant of all runs a key; the first of them may still be stored in plain."""
    journal = build_journal(Settings(journal=stack.journal))
    row = row_without_request("chaos", "", DEFAULT_TENANT, "tenant-key.create", DEFAULT_TENANT)
    try:
        await journal.tenant_keys.create(DEFAULT_TENANT, row)
    finally:
        await journal.close()


def settings(data_dir: Path) -> dict[str, str]:
    """The agent `chaos`, whose tools leave their lines in a folder that is made here."""
    effects = data_dir / "effects"
    effects.mkdir(parents=True)
    return {
        FOLDER: str(effects),
        "RELAYLINE_CATALOG": MODULE,
        "RELAYLINE_HEARTBEAT_S": "5",
        "RELAYLINE_MAX_WORKER_LOSSES": "1000",  # each kill here is one from outside
        "RELAYLINE_WEBHOOK_LOOPBACK": "1",
        "RELAYLINE_WEBHOOK_RETRY_S": "0.3,1,2",
    }


def chaos_stack(data_dir: Path, **env: str) -> DevStack:
    """A `relayline dev` with two workers and the agent `chaos`; not yet started."""
    return DevStack(data_dir, "--workers", "2", **(settings(data_dir) | env))


@asynccontextmanager
async def chaos_cluster(
    data_dir: Path, apis: int, workers: int, **env: str
) -> AsyncIterator[Cluster]:
    """That many processes of each kind with the agent `chaos`, on a file in `data_dir`."""
    async with Cluster(
        data_dir, apis=apis, workers=workers, env=settings(data_dir) | env
    ) as cluster:
        yield cluster


@asynccontextmanager
async def postgres_cluster(
    data_dir: Path, apis: int, workers: int, **env: str
) -> AsyncIterator[Cluster]:
    """The same on a Postgres of its own."""
    server = PostgresServer()
    try:
        await asyncio.to_thread(server.start)
        dsn = await asyncio.to_thread(server.create_database, "relayline")
        await migrate(dsn)
        given: Mapping[str, str] = settings(data_dir) | env
        async with Cluster(
            data_dir, apis=apis, workers=workers, env=given, server=server, journal=dsn
        ) as cluster:
            yield cluster
    finally:
        await asyncio.to_thread(server.remove)
