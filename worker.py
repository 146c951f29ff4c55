"""Composition root of a worker process: settings → client → journal → activities → Worker."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from relayline.activities.files.tool_images import ImageKeeper
from relayline.activities.model.call import ModelActivities
from relayline.activities.model.clean import cleaned
from relayline.activities.model.providers.factory import ProviderConfig, Providers, provider_for
from relayline.activities.model.providers.tenant_keys import BadTenantKeys, open_keys
from relayline.activities.model.slots import ROOM, Slots
from relayline.activities.presence import Presence
from relayline.activities.suspects import Suspects
from relayline.activities.tool.call import ToolActivities
from relayline.activities.tool.mcp.opening import mcp_servers
from relayline.activities.tool.served.figures import McpFigures
from relayline.activities.tool.toolbox.isolation import NO_BUBBLEWRAP, bubblewrap
from relayline.catalog.agents import Catalog, CatalogError
from relayline.catalog.models import QUEUED, ProviderLimit, limits_of, provider_queue
from relayline.contracts.housekeeping import HOUSEKEEPING_QUEUE
from relayline.contracts.queues import Work
from relayline.contracts.runs import TASK_QUEUE
from relayline.contracts.submissions.batches import SUBMISSIONS_QUEUE
from relayline.contracts.webhooks import WEBHOOKS_QUEUE
from relayline.housekeeper import housekeeper_for, scheduled
from relayline.journal.port import JournalUnavailable
from relayline.journal.table import Storage
from relayline.means import filed, means_of
from relayline.outbound.metrics import WebhookMetrics
from relayline.runtime.activations import Activations, skip_idle_visits
from relayline.runtime.build import build_of
from relayline.runtime.health import health_served, joined
from relayline.runtime.liveness import Liveness
from relayline.runtime.namespace import NamespaceUnfit, warnings_of_namespace
from relayline.runtime.process import build_keyring, opened_journal, redactor_of, run_process
from relayline.runtime.redaction import too_short
from relayline.runtime.secret import short_secrets, tool_secrets
from relayline.runtime.settings import BadSettings, Settings
from relayline.runtime.temporal import TemporalUnreachable, connect
from relayline.spending import Spending
from relayline.submitter import submitter
from relayline.teller import telling
from relayline.watchkeeper import Vitals, new_identity, watching
from relayline.wiring import build_catalog, tell_catalog
from relayline.worker_options import common, recording, together
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.policy import use_heartbeat_timeout
from relayline.workflows.runner import Runner

if TYPE_CHECKING:
    from relayline.activities.tool.mcp.servers import McpServers

STICKY_TIMEOUT = timedelta(seconds=1)
"""How long a workflow waits for the worker that last had it before any other may take it."""
STOP_MARGIN_S = 30.0
"""How much longer than `drain_s` a stopping worker may take."""
_log = logging.getLogger(__name__)


def build_worker(
    client: Client,
    journal: Storage,
    providers: Providers,
    settings: Settings,
    vitals: Vitals | None = None,
) -> AbstractAsyncContextManager[None]:
    """What serves runs, with everything it needs, for as long as the block lasts.

    That is a worker for workflows, tools and records, and one for each provider's model calls:
    whatever a provider does, it takes nobody else's slots. Of these it has what the settings say.
    Tells `vitals.liveness` whom to ask for problems; its calls are those of `vitals.presence`.

    Raises:
        CatalogError: the user's module can't be used.
        BadSettings: the secret can't be read, or authentication is on and there is none.
    """
    skip_idle_visits()
    build = build_of(deployment_of(settings, VersioningBehavior.PINNED))
    make = partial(Worker, client, **common(settings), **build)
    tools = (catalog := build_catalog(settings)).tools
    servers = _servers(catalog, vitals)
    redactor = redactor_of(settings)
    secrets = tool_secrets(settings) if Work.TOOLS in settings.work else {}
    use_heartbeat_timeout(timedelta(seconds=settings.heartbeat_timeout_s))
    suspects = Suspects(settings.max_worker_losses)
    presence, spending = (vitals.presence, vitals.spending) if vitals else (Presence(), None)
    means = means_of(settings, journal, spending)
    clean = filed(cleaned(providers, redactor), settings, journal)
    limits = limits_of(settings.provider_limits, settings.max_model_calls)
    slots = {provider_queue(each): Slots(limit) for each, limit in limits.items()}
    models = ModelActivities(journal, clean, tools, suspects, presence, means, slots, servers)
    workers, after = [], [servers.close] if servers else []
    tell = partial(tell_catalog, journal, settings, catalog, seen=True)
    if settings.work & {Work.RUNS, Work.TOOLS}:
        calls = ToolActivities(
            *(journal, tools, suspects, presence),
            clean=redactor.clean,
            servers=servers,
            secrets=secrets,
            images=ImageKeeper(journal.files),
        )
        after.append(calls.close)
        others = recording(journal, presence, servers)
        workers.append(_runs_worker(make, models, calls, others, settings))
        if Work.RUNS in settings.work:
            workers.append(submitter(client, journal, settings, catalog, deployment_of(settings)))
        if vitals:
            vitals.liveness.watch(calls.problem)
    if Work.MODELS in settings.work:
        workers += [_calls_worker(make, models, *each) for each in limits.items()]
    before = tell if Work.TOOLS in settings.work else None
    return together(*workers, before=before, after=after)


def _servers(catalog: Catalog, vitals: Vitals | None) -> McpServers | None:
    servers = mcp_servers(catalog.mcp)
    if vitals and vitals.served:
        vitals.served.watch(servers)
    return servers


def deployment_of(
    settings: Settings, behavior: VersioningBehavior = VersioningBehavior.AUTO_UPGRADE
) -> WorkerDeploymentConfig | None:
    """The build that a worker is, None where builds are not told apart.

    Args:
        settings: With the build's id, if it has one.
        behavior: Of workflows: pinned ones end where they began, others go along.
    """
    if not settings.build_id:
        return None
    return WorkerDeploymentConfig(
        WorkerDeploymentVersion(settings.deployment, settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=behavior,
    )


def _runs_worker(
    make: Callable[..., Worker],
    models: ModelActivities,
    tools: ToolActivities,
    others: Sequence[Callable[..., Any]],
    settings: Settings,
) -> Worker:
    """A worker for runs, tools or both; where it has both, a run's next call starts at once.

    One for runs alone has the activities for those that run in a workflow's own task.
    """
    activities = [
        models.call_model,  # of the rehearsal, which has no provider
        tools.call_tool,
        tools.check_arguments,
        *others,
    ]
    return make(
        task_queue=TASK_QUEUE,
        workflows=[AgentRun] if Work.RUNS in settings.work else [],
        workflow_runner=Runner(),
        workflow_task_executor=Activations(settings.max_workflow_tasks),
        activities=activities,
        no_remote_activities=Work.TOOLS not in settings.work,
        max_concurrent_activities=settings.max_activities + settings.max_model_calls,
        max_concurrent_workflow_tasks=settings.max_workflow_tasks,
        max_cached_workflows=settings.max_cached_workflows,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
    )


def _calls_worker(
    make: Callable[..., Worker], models: ModelActivities, provider: str, limit: ProviderLimit
) -> Worker:
    """A worker for the calls of that provider's models; of those that wait, `Slots` chooses."""
    return make(
        task_queue=provider_queue(provider),
        activities=[models.call_model],
        max_concurrent_activities=ROOM * limit.calls,
        max_activities_per_second=limit.starts_per_s,
    )


async def run(settings: Settings, *, ends_process: bool = False) -> None:
    """Work until SIGTERM or SIGINT; then let running calls finish within `drain_s`.

    Args:
        settings: Of this worker.
        ends_process: As in `Liveness`.

    Raises:
        Wedged: the worker must be replaced; it has drained.
        TemporalUnreachable: no Temporal answered.
        NamespaceUnfit: its namespace lacks what runs need.
        CatalogError, BadTenantKeys: the user's module, or the file of keys, can't be used.
        JournalUnavailable: the journal can't be written.
        BadSettings: it can't listen on `worker_port`, keep commands from the network, or use the
            secret.
    """
    not_apart = await asyncio.to_thread(_check_tools, settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        opened_journal(settings) as journal,
        aclosing(_providers(settings)) as providers,
    ):
        client = await connect(build_keyring(settings), identity=new_identity())
        warnings = await warnings_of_namespace(client, settings.retention)
        for warning in (*warnings, *too_short(settings.redacted_names), *not_apart):
            _log.warning("%s", warning)
        given = (client, journal, providers, settings)
        liveness, told, spending = Liveness(ends_process=ends_process), WebhookMetrics(), Spending()
        page = joined(told.text, spending.text, (served := McpFigures()).text)
        at = (settings.worker_host, settings.worker_port)
        async with (
            liveness.watching(),
            health_served(liveness.problem, page, *at),
            watching(client, settings, liveness) as vitals,
            _housekeeping(client, journal, settings, told),
            build_worker(*given, vitals._replace(spending=spending, served=served)),
        ):
            _log.info("at work", extra=_served(client, settings))
            _log.info("fairness of Temporal is unknown: `relayline doctor` tests it")
            await liveness.until(stop, settings.drain_s + STOP_MARGIN_S)


def _served(client: Client, settings: Settings) -> dict[str, str]:
    """What the log says of this worker: where its work comes from."""
    queues = [TASK_QUEUE] if settings.work & {Work.RUNS, Work.TOOLS} else []
    own = [HOUSEKEEPING_QUEUE, SUBMISSIONS_QUEUE, WEBHOOKS_QUEUE]
    queues += own if Work.RUNS in settings.work else []
    queues += map(provider_queue, QUEUED if Work.MODELS in settings.work else ())
    work = ",".join(sorted(settings.work))
    served = {"work": work, "task_queues": ",".join(queues), "namespace": client.namespace}
    if settings.build_id:
        served |= {"build_id": settings.build_id, "deployment": settings.deployment}
        served["new_runs"] = "as `relayline deploy` says"
    return served


def _check_tools(settings: Settings) -> list[str]:
    """What people should know of the secrets and commands of tools, if this worker runs any.

    Raises:
        BadSettings: commands may not use the network, and can't be kept from it; or the secrets
            can't be read.
    """
    if Work.TOOLS not in settings.work:
        return []
    short = short_secrets(settings)
    if not settings.allow_commands or bubblewrap():
        return short
    if not settings.command_network:
        raise BadSettings(f"RELAYLINE_COMMAND_NETWORK is 0, but {NO_BUBBLEWRAP}")
    return [*short, NO_BUBBLEWRAP]


@asynccontextmanager
async def _housekeeping(
    client: Client, storage: Storage, settings: Settings, told: WebhookMetrics
) -> AsyncIterator[None]:
    """The worker's part in housekeeping and webhooks, with workflows and with the newest build."""
    if Work.RUNS not in settings.work:
        yield
        return
    async with (
        housekeeper_for(client, storage, settings, deployment_of(settings)),
        scheduled(client),
        telling(client, storage, settings, deployment_of(settings), told),
    ):
        yield


def _providers(settings: Settings) -> Providers:
    given = (settings.compatible_base_url, settings.compatible_api_key, settings.local_base_url)
    keys = open_keys(settings.tenant_keys_file)
    return provider_for(ProviderConfig(*given, settings.model_idle_s, keys))


def main() -> None:
    """Run a worker with the settings of the environment; exit 1 with one line on bad ones."""
    unusable = (CatalogError, BadTenantKeys)
    expected = (TemporalUnreachable, NamespaceUnfit, JournalUnavailable, *unusable)
    run_process("worker", partial(run, ends_process=True), *expected)


if __name__ == "__main__":
    main()
