"""Composition root of the API process: settings → journal, catalog, client → app → server."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from temporalio.client import Client
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from relayline.api import problems
from relayline.api.commands.decisions import Decisions
from relayline.api.commands.outcomes import Outcomes
from relayline.api.commands.sending import CommandSender, SentCommands
from relayline.api.event_schemas import describe_events
from relayline.api.routes import agents, commands, decisions, docs, events, outcomes, pages, runs
from relayline.api.routes import server as server_routes
from relayline.api.runs.inbox import Inbox
from relayline.api.runs.listing import Listing
from relayline.api.runs.submission import Submission
from relayline.api.runs.validation import RequestLimits, RunValidator
from relayline.api.runs.views import LinkMaker, Views
from relayline.api.services import Services
from relayline.api.serving import processes
from relayline.api.serving.closed import IgnoreClosed
from relayline.api.serving.head import AnswerHead
from relayline.api.serving.metrics import CountRequests, Metrics, shared
from relayline.api.serving.origins import CheckOrigin, allowed_hosts, is_loopback
from relayline.api.serving.protocol import ConnectionLimits
from relayline.api.serving.readiness import Readiness
from relayline.api.serving.server import AddressInUse, BodyLimit, Server, listen_each
from relayline.api.streams.events import RunEvents
from relayline.api.streams.feed import Feed
from relayline.api.streams.live.live import Live
from relayline.api.streams.long_poll import LongPoll, RunPoll
from relayline.api.streams.progress import ProgressFeed
from relayline.api.streams.sse import Streams
from relayline.api.streams.watchdog import Watchdog
from relayline.api.temporal.attention import Attention
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.namespace import NamespaceCheck
from relayline.api.temporal.stuck import StuckRuns, WorkerProbe
from relayline.api.temporal.terminal import TerminalFacts
from relayline.api.temporal.workers import Workers
from relayline.catalog.agents import Catalog, CatalogError
from relayline.journal.port import JournalUnavailable
from relayline.journal.table import Storage
from relayline.runtime.process import opened_journal, run_process
from relayline.runtime.settings import Settings
from relayline.runtime.temporal import TemporalUnreachable, connect
from relayline.wiring import build_catalog

FORESEEN = (JournalUnavailable, CatalogError, TemporalUnreachable)
"""Errors that keep a process from serving; the message says what to do."""
_log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    storage: Storage,
    temporal_client: Client,
    catalog: Catalog,
    metrics: Metrics | None = None,
) -> FastAPI:
    """Build the app; its parts are in `app.state.services`.

    The caller stops it: `services.close_streams()` first, `services.close()` last. The caller also
    closes the storage and the client.
    """
    metrics = metrics or Metrics()
    app = bare_app()
    app.state.services = _services(settings, storage, temporal_client, catalog, metrics)
    app.add_middleware(IgnoreClosed)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(AnswerHead)
    app.add_middleware(CountRequests, metrics=metrics)
    if proxies := settings.forwarded_allow_ips:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    _guard(app, settings)
    return app


def _guard(app: FastAPI, settings: Settings) -> None:
    """Keep out the pages of other sites, but those of the listed origins."""
    origins = frozenset(origin.lower() for origin in settings.allowed_origins)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=tuple(origins),
            allow_methods=("*",),
            allow_headers=("*",),
            expose_headers=("Location", "Retry-After", "X-Run-Id"),
        )
    hosts = allowed_hosts(settings.allowed_hosts, settings.api_host)
    app.add_middleware(CheckOrigin, hosts=hosts, origins=origins)


def _services(
    settings: Settings, storage: Storage, client: Client, catalog: Catalog, metrics: Metrics
) -> Services:
    gateway, workers = Gateway(client), Workers(client)
    probe = WorkerProbe(gateway)
    terminal_facts = TerminalFacts(storage, gateway)
    stuck_runs = StuckRuns(gateway, probe, workers, storage)
    attention = Attention(storage, gateway, probe, stuck_runs)
    links = LinkMaker(settings.temporal_ui, client.namespace)
    views = Views(storage, gateway, links, terminal_facts, stuck_runs)
    limits = RequestLimits(settings.max_input_bytes, settings.max_metadata_keys)
    validator = RunValidator(catalog.agents, limits)
    watchdog = Watchdog(terminal_facts.ensure, probe.silent_s, stuck_runs.unserved)
    feed, streams = Feed(storage, metrics, watchdog), _streams(settings, metrics)
    poll, sent = LongPoll(feed, streams), SentCommands()
    namespace = NamespaceCheck(client, settings.retention)
    readiness = Readiness(storage, gateway, namespace, workers)
    sender = CommandSender(storage, gateway, views, sent)
    events = RunEvents(views, storage, feed, streams)
    listing, inbox = Listing(storage, links, attention), Inbox(storage, links, attention)
    return Services(
        agents=catalog.agents,
        metrics=metrics,
        namespace=namespace,
        readiness=readiness,
        submission=Submission(validator, storage, gateway, views, metrics),
        listing=listing,
        inbox=inbox,
        attention=attention,
        live=Live(storage, (listing, inbox, readiness), (events, feed, streams)),
        runs=RunPoll(views, storage, poll),
        streams=streams,
        feed=feed,
        events=events,
        progress=ProgressFeed(storage, gateway, views, feed, streams),
        commands=sender,
        decisions=Decisions(sender, storage, gateway),
        outcomes=Outcomes(views, storage, gateway, sent, poll),
    )


def _streams(settings: Settings, metrics: Metrics) -> Streams:
    return Streams(
        metrics,
        per_client=settings.max_streams_per_client,
        heartbeat_s=settings.heartbeat_s,
        send_timeout_s=settings.send_timeout_s,
    )


class App(FastAPI):
    """FastAPI whose OpenAPI document has the type of each event."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            describe_events(super().openapi())
        return super().openapi()


def bare_app() -> FastAPI:
    """The routes and the error table with no services: enough for OpenAPI."""
    app = App(
        title="Relayline",
        version="1",
        description="Runs AI agents durably and lets people watch, steer and replay them.",
        responses=problems.PROBLEMS,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    problems.install(app)
    modules = (runs, pages, events, commands, decisions, outcomes, agents, server_routes, docs)
    for module in modules:
        app.include_router(module.router)
    return app


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; with Temporal down, only the calls that need it fail.

    With several API processes, this one only supervises them.

    Raises:
        AddressInUse: the address can't be listened on.
        JournalUnavailable: the journal can't be written.
        CatalogError: the user's module can't be used.
        TemporalUnreachable: no Temporal address is configured.
        SystemExit: no process could start; the reason is on stderr.
    """
    if not (is_loopback(settings.api_host) or settings.allowed_hosts):
        _log.warning(
            "only local names and the API's own address are answered: set RELAYLINE_ALLOWED_HOSTS "
            "to the names under which clients reach it"
        )
    listeners = listen_each(settings.api_host, settings.api_port, settings.api_workers)
    try:
        if len(listeners) > 1:
            await processes.keep(listeners)
        else:
            await _serve_on(listeners[0], settings)
    finally:
        for listener in listeners:
            listener.close()


async def serve_part(settings: Settings, part: processes.Part) -> None:
    """Serve as one of several processes.

    Raises:
        JournalUnavailable, CatalogError, TemporalUnreachable: as `serve`.
    """
    with socket.socket(fileno=part.listener_fd) as listener:
        await _serve_on(listener, settings, part)


async def _serve_on(
    listener: socket.socket, settings: Settings, part: processes.Part | None = None
) -> None:
    async with opened_journal(settings) as journal:
        metrics = shared(Path(part.metrics_dir), part.number) if part else Metrics()
        client = await connect(lazy=True)
        app = create_app(settings, journal, client, build_catalog(settings), metrics)
        services: Services = app.state.services
        host, port = listener.getsockname()[:2]
        _log.info("listening", extra={"host": host, "port": port})
        checking = asyncio.create_task(services.namespace.state(), name="check the namespace")
        if part:
            part.say_ready()
        await Server(app, services.close_streams, _limits(settings)).serve([listener])
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)
        await services.close()


def _limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        unread_s=settings.send_timeout_s,
        per_client=settings.max_connections_per_client,
        proxies=settings.forwarded_allow_ips,
    )


def main(arguments: Sequence[str] = ()) -> None:
    """Run the API with the settings of the environment; exit 1 with one line on bad ones.

    Args:
        arguments: For one of several processes: its part, as `processes.Part` writes it.
    """
    if arguments:
        part = processes.Part.parse(arguments)
        run_process("api", partial(serve_part, part=part), *FORESEEN)
    run_process("api", serve, AddressInUse, *FORESEEN)


if __name__ == "__main__":
    main(sys.argv[1:])
