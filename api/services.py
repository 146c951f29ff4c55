"""The parts of one app, created once."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.client import Client

from relayline.api.access import AccessParts, access_parts
from relayline.api.commands.decisions import Decisions
from relayline.api.commands.outcomes import Outcomes
from relayline.api.commands.sending import CommandSender, SentCommands
from relayline.api.commands.today import AgentsOfToday
from relayline.api.runs.admission.batch_checks import BatchChecks
from relayline.api.runs.admission.known_agents import KnownAgents
from relayline.api.runs.admission.quotas import RunQuotas
from relayline.api.runs.batches import RunBatches
from relayline.api.runs.conversations import Conversations
from relayline.api.runs.erasing import Erasing
from relayline.api.runs.files.given_parts import GivenParts
from relayline.api.runs.files.uploads import Uploads
from relayline.api.runs.forks.forking import Forks
from relayline.api.runs.forks.input import ForkInputs
from relayline.api.runs.forks.source import ForkSources
from relayline.api.runs.inbox import Inbox
from relayline.api.runs.listing import Listing
from relayline.api.runs.owners import RunOwners
from relayline.api.runs.receivers import NamedReceivers
from relayline.api.runs.schedules import RunSchedules
from relayline.api.runs.sources import Sources, sources_of
from relayline.api.runs.starts import PendingStarts
from relayline.api.runs.submission import Submission
from relayline.api.runs.validation import RunValidator
from relayline.api.serving.known_tools import KnownTools
from relayline.api.serving.metrics import Metrics
from relayline.api.serving.readiness import Readiness
from relayline.api.serving.system import Configured, System
from relayline.api.signing.cursors import Cursors
from relayline.api.streams.events import RunEvents
from relayline.api.streams.feed import Feed
from relayline.api.streams.live.live import Live
from relayline.api.streams.long_poll import LongPoll, RunPoll
from relayline.api.streams.progress import ProgressFeed
from relayline.api.streams.sockets.opening import Sockets
from relayline.api.streams.sse import Streams
from relayline.api.streams.watchdog import Watchdog
from relayline.api.temporal.attention import Attention
from relayline.api.temporal.namespace import NamespaceCheck
from relayline.api.temporal.schedules import ScheduleGateway
from relayline.api.temporal.submissions import BatchGateway
from relayline.api.temporal.workers import Workers
from relayline.api.webhooks.deliveries import Deliveries
from relayline.api.webhooks.registry import Registry
from relayline.catalog.agents import Catalog
from relayline.contracts.access.quotas import parse_quotas
from relayline.contracts.operation.system import SystemLimits
from relayline.journal.table import Storage
from relayline.outbound.sender import Sender
from relayline.runtime.settings import Settings
from relayline.wiring import build_validator, provider_names, receiver_rules


@dataclass(frozen=True)
class Services:
    """Created by `app`; `depends` gives each route the parts that it uses."""

    access: AccessParts
    quotas: RunQuotas
    owners: RunOwners
    agents: KnownAgents
    known_tools: KnownTools
    metrics: Metrics
    namespace: NamespaceCheck
    readiness: Readiness
    system: System
    submission: Submission
    forks: Forks
    batches: RunBatches
    schedules: RunSchedules
    erasing: Erasing
    uploads: Uploads
    listing: Listing
    inbox: Inbox
    attention: Attention
    live: Live
    runs: RunPoll
    streams: Streams
    feed: Feed
    events: RunEvents
    progress: ProgressFeed
    commands: CommandSender
    decisions: Decisions
    outcomes: Outcomes
    registry: Registry
    deliveries: Deliveries

    @property
    def sockets(self) -> Sockets:
        """What opens WebSockets; it has no state."""
        return Sockets(self.events, self.feed, self.streams)

    async def close_streams(self) -> None:
        """End every open stream and long poll; a stopping server does this first."""
        closed = self.streams.close()
        self.feed.wake_all()
        await closed

    async def close(self) -> None:
        """Stop every task of this app."""
        await self.access.close()
        await self.quotas.close()
        await self.attention.close()
        await self.live.close()
        await self.progress.close()
        await self.feed.close()


def services_of(
    settings: Settings, storage: Storage, client: Client, catalog: Catalog, metrics: Metrics
) -> Services:
    """All parts of the API, on this storage and client."""
    sources = sources_of(client, storage, settings.temporal_ui, settings.page_url)
    gateway, workers, _, _, _, attention, _, views = sources
    access, quotas = access_parts(settings, storage, views), _quotas(settings, storage)
    feed, streams = _feed(storage, metrics, sources), _streams(settings, metrics, quotas)
    receivers, registry, deliveries = _webhooks(settings, storage, access.signing.cursors)
    agents, validator = _agents(settings, storage, catalog, workers)
    turns, sent, parts = Conversations(storage), SentCommands(), GivenParts(storage)
    submits = (metrics, receivers, quotas, access.signing.ids, parts)
    listing, inbox = _lists(sources, storage, access.signing.cursors)
    return Services(
        access=access,
        quotas=quotas,
        owners=views.owners,
        agents=agents,
        known_tools=KnownTools(storage),
        metrics=metrics,
        namespace=(namespace := NamespaceCheck(client, settings.retention)),
        readiness=(readiness := Readiness(storage, gateway, namespace, workers)),
        system=System(_configured(settings), client, readiness, workers, streams),
        submission=(submission := Submission(validator, storage, gateway, views, *submits)),
        forks=Forks(ForkSources(storage, gateway), ForkInputs(validator), submission, views),
        batches=_batches(storage, client, validator, access, submits),
        erasing=Erasing(storage, views),
        uploads=Uploads(storage.files, quotas, settings.max_file_bytes),
        events=(events := RunEvents(views, storage, feed, streams, turns)),
        schedules=RunSchedules(submission, storage, ScheduleGateway(client), access.signing),
        listing=listing,
        inbox=inbox,
        attention=attention,
        live=Live(storage, (listing, inbox, readiness), (events, feed, streams)),
        runs=RunPoll(views, storage, poll := LongPoll(feed, streams), turns),
        streams=streams,
        feed=feed,
        progress=ProgressFeed(storage, gateway, views, feed, streams),
        commands=(sender := _sender(storage, sources, sent, access, validator, parts)),
        decisions=Decisions(sender, storage, gateway, access.four_eyes),
        outcomes=Outcomes(views, storage, gateway, sent, poll),
        registry=registry,
        deliveries=deliveries,
    )


def _batches(
    storage: Storage,
    client: Client,
    validator: RunValidator,
    access: AccessParts,
    submits: tuple[Metrics, NamedReceivers, RunQuotas, object, GivenParts],
) -> RunBatches:
    metrics, receivers, quotas, _, parts = submits
    checks = BatchChecks(validator, receivers, quotas, parts)
    return RunBatches(checks, storage, BatchGateway(client), metrics, quotas, access.signing)


def _sender(  # noqa: PLR0913, PLR0917  what a sender is made of
    storage: Storage,
    sources: Sources,
    sent: SentCommands,
    access: AccessParts,
    validator: RunValidator,
    parts: GivenParts,
) -> CommandSender:
    gateway, views, today = sources.gateway, sources.views, AgentsOfToday(storage, validator, parts)
    starts, proofs = PendingStarts(storage, gateway), access.signing.proofs
    return CommandSender(storage, gateway, views, sent, starts, proofs, today)


def _agents(
    settings: Settings, storage: Storage, catalog: Catalog, workers: Workers
) -> tuple[KnownAgents, RunValidator]:
    agents = KnownAgents(storage.catalogs, catalog.agents, workers.current_build)
    return agents, build_validator(settings, agents, agents.fresh)


def _feed(storage: Storage, metrics: Metrics, sources: Sources) -> Feed:
    ensure, silent_s = sources.terminal_facts.ensure, sources.probe.silent_s
    return Feed(storage, metrics, Watchdog(ensure, silent_s, sources.stuck_runs.unserved))


def _configured(settings: Settings) -> Configured:
    limits = SystemLimits(
        streams_per_client=settings.max_streams_per_client,
        connections_per_client=settings.max_connections_per_client,
        heartbeat_s=settings.heartbeat_s,
        body_bytes=settings.max_body_bytes,
        input_bytes=settings.max_input_bytes,
        metadata_keys=settings.max_metadata_keys,
    )
    return Configured(
        build=settings.build_id,
        journal="postgres" if settings.journal_dsn else "sqlite",
        temporal_ui=settings.temporal_ui,
        auth=tuple(sorted(settings.auth_modes)),
        retention_days=settings.retention_days or None,
        limits=limits,
        providers=provider_names(settings),
    )


def _webhooks(
    settings: Settings, storage: Storage, cursors: Cursors
) -> tuple[NamedReceivers, Registry, Deliveries]:
    rules, webhooks = receiver_rules(settings), storage.webhooks
    registry = Registry(webhooks, Sender(rules), cursors)
    return NamedReceivers(webhooks, rules), registry, Deliveries(webhooks, registry, cursors)


def _lists(sources: Sources, storage: Storage, cursors: Cursors) -> tuple[Listing, Inbox]:
    shown = (storage, sources.links, sources.attention, cursors)
    return Listing(*shown), Inbox(*shown)


def _quotas(settings: Settings, storage: Storage) -> RunQuotas:
    return RunQuotas(storage, parse_quotas(settings.quotas))


def _streams(settings: Settings, metrics: Metrics, quotas: RunQuotas) -> Streams:
    return Streams(
        metrics,
        quotas,
        per_client=settings.max_streams_per_client,
        heartbeat_s=settings.heartbeat_s,
        send_timeout_s=settings.send_timeout_s,
    )
