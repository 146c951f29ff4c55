"""Composition root of a worker process: settings → client → journal → activities → Worker."""

from __future__ import annotations

import asyncio
import py_compile
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    suppress,
)
from datetime import timedelta
from functools import partial

from temporalio.client import Client
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker

from activities.model import ModelActivities
from activities.providers.factory import ProviderConfig, Providers, provider_for
from activities.record import RecordActivities
from activities.tools import ToolActivities
from catalog.agents import CatalogError
from catalog.models import (
    QUEUED,
    ProviderLimit,
    parse_provider_limits,
    provider_queue,
)
from contracts.runs import TASK_QUEUE
from housekeeper import build_housekeeper, scheduled
from journal.port import Journal, JournalUnavailable
from settings import Settings
from temporal_client import TemporalUnreachable, connect
from wiring import build_catalog, opened_journal, run_process
from workflows import agent_run
from workflows.agent_run import AgentRun

HEARTBEAT_THROTTLE = timedelta(milliseconds=500)
"""How late a cancellation may reach an activity where the server does not push it."""
STICKY_TIMEOUT = timedelta(seconds=1)
"""How long a workflow waits for the worker that last had it before any other may take it."""
MODEL_POLLERS = 3
"""How many requests for the next call of a provider are open at a time."""


def build_worker(
    client: Client, journal: Journal, providers: Providers, settings: Settings
) -> AbstractAsyncContextManager[None]:
    """What serves runs, with everything it needs, for as long as the block lasts.

    That is a worker for workflows, tools and records, and one for each provider's model calls:
    whatever a provider does, it takes nobody else's slots.

    Raises:
        CatalogError: the user's module can't be used.
    """
    tools = ToolActivities(journal, build_catalog(settings).tools)
    records = RecordActivities(journal)
    models = ModelActivities(journal, providers)
    make = partial(
        Worker,
        client,
        graceful_shutdown_timeout=timedelta(seconds=settings.drain_s),
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
    )
    runs = make(
        task_queue=TASK_QUEUE,
        workflows=[AgentRun],
        activities=[
            models.call_model,  # of the rehearsal, which has no provider
            tools.call_tool,
            tools.check_arguments,
            records.record_facts,
            records.rewind,
        ],
        max_concurrent_activities=settings.max_activities + settings.max_model_calls,
        max_cached_workflows=settings.max_cached_workflows,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
    )
    limits = parse_provider_limits(settings.provider_limits)
    usual = ProviderLimit(settings.max_model_calls)
    calls = [
        _calls_worker(make, models, provider, limits.get(provider, usual)) for provider in QUEUED
    ]
    return _together(runs, *calls)


def _calls_worker(
    make: Callable[..., Worker], models: ModelActivities, provider: str, limit: ProviderLimit
) -> Worker:
    """A worker for the calls of that provider's models."""
    return make(
        task_queue=provider_queue(provider),
        activities=[models.call_model],
        max_concurrent_activities=limit.calls,
        max_activities_per_second=limit.starts_per_s,
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=MODEL_POLLERS),
    )


@asynccontextmanager
async def _together(*workers: Worker) -> AsyncIterator[None]:
    """All at work until the block ends or one of them fails; then all stop at the same time."""

    async def stop() -> None:
        await asyncio.gather(*(worker.shutdown() for worker in workers))

    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker)
        stack.push_async_callback(stop)
        yield


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
        opened_journal(settings) as journal,
        aclosing(_providers(settings)) as providers,
    ):
        client = await connect()
        async with (
            build_housekeeper(client, journal, settings.retention),
            scheduled(client),
            build_worker(client, journal, providers, settings),
        ):
            await stop.wait()


def _providers(settings: Settings) -> Providers:
    return provider_for(
        ProviderConfig(
            compatible_base_url=settings.compatible_base_url,
            compatible_api_key=settings.compatible_api_key,
            local_base_url=settings.local_base_url,
            idle_s=settings.model_idle_s,
        )
    )


def main() -> None:
    """Run a worker with the settings of the environment; exit 1 with one line on bad ones."""
    run_process("worker", run, TemporalUnreachable, CatalogError, JournalUnavailable)


if __name__ == "__main__":
    main()
