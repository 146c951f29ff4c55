"""Composition root of a worker process: settings → client → journal → activities → Worker."""

from __future__ import annotations

import asyncio
import py_compile
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.model import ModelActivities
from activities.providers.factory import ProviderConfig, Providers, provider_for
from activities.record import RecordActivities
from activities.tools import ToolActivities
from catalog.agents import CatalogError
from contracts.runs import TASK_QUEUE
from journal.port import Journal, JournalUnavailable
from journal.sqlite import SqliteJournal
from settings import Settings
from temporal_client import TemporalUnreachable, connect
from wiring import build_catalog, run_process
from workflows import agent_run
from workflows.agent_run import AgentRun

HEARTBEAT_THROTTLE = timedelta(milliseconds=500)
"""How late a cancellation may reach an activity where the server does not push it."""
STICKY_TIMEOUT = timedelta(seconds=1)
"""How long a workflow waits for the worker that last had it before any other may take it."""


def build_worker(
    client: Client, journal: Journal, providers: Providers, settings: Settings
) -> Worker:
    """A worker for runs, with everything it needs; not yet started.

    Raises:
        CatalogError: the user's module can't be used.
    """
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[AgentRun],
        activities=[
            ModelActivities(journal, providers).call_model,
            ToolActivities(journal, build_catalog(settings).tools).call_tool,
            RecordActivities(journal).record_facts,
        ],
        max_concurrent_activities=settings.max_activities,
        max_cached_workflows=settings.max_cached_workflows,
        graceful_shutdown_timeout=timedelta(seconds=settings.drain_s),
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
    )


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; then let running calls finish within `drain_s`.

    Raises:
        TemporalUnreachable: no Temporal answered.
        CatalogError: the user's module can't be used.
        JournalUnavailable: the journal can't be written.
    """
    with suppress(OSError):  # a read-only installation: then the sandbox compiles for every run
        py_compile.compile(agent_run.__file__)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        _journal(settings) as journal,
        aclosing(_providers(settings)) as providers,
        build_worker(await connect(), journal, providers, settings),
    ):
        await stop.wait()


@asynccontextmanager
async def _journal(settings: Settings) -> AsyncIterator[Journal]:
    """The journal, known to take writes; closed at the end."""
    journal = SqliteJournal(settings.journal_path)
    try:
        await journal.check()
        yield journal
    finally:
        await journal.close()


def _providers(settings: Settings) -> Providers:
    return provider_for(
        ProviderConfig(
            compatible_base_url=settings.compatible_base_url,
            compatible_api_key=settings.compatible_api_key,
            local_base_url=settings.local_base_url,
        )
    )


def main() -> None:
    """Run a worker with the settings of the environment; exit 1 with one line on bad ones."""
    run_process("worker", run, TemporalUnreachable, CatalogError, JournalUnavailable)


if __name__ == "__main__":
    main()
