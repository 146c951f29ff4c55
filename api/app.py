"""Composition root of the API process: settings → journal, catalog, client → app → server."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

from fastapi import FastAPI
from temporalio.client import Client
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import commands, decisions, errors, events, health, outcomes, processes, progress, runs
from api.attention import Attention, Workers
from api.board import ProgressBoard
from api.closer import Closer
from api.feed import Feed
from api.gateway import Gateway
from api.metrics import CountRequests, Metrics, shared
from api.namespace import NamespaceCheck
from api.receipts import SentCommands
from api.server import AddressInUse, BodyLimit, Server, listen_each
from api.services import RequestLimits, Services
from api.silence import Silence
from api.streams import Streams
from api.views import LinkMaker, Views
from api.workforce import Workforce
from catalog.agents import Catalog, CatalogError
from journal.port import Journal, JournalUnavailable
from settings import Settings
from temporal_client import TemporalUnreachable, connect
from wiring import build_catalog, opened_journal, run_process

FORESEEN = (JournalUnavailable, CatalogError, TemporalUnreachable)
"""What can keep a process from serving; the message says what to do."""
_log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    journal: Journal,
    temporal_client: Client,
    catalog: Catalog,
    metrics: Metrics | None = None,
) -> FastAPI:
    """The app; `app.state.services` has what it works with.

    Whoever serves it closes it: `services.close_streams()` first, `services.close()` last.
    Journal and client stay the caller's.
    """
    metrics = metrics or Metrics()
    gateway = Gateway(temporal_client)
    links = LinkMaker(settings.temporal_ui, temporal_client.namespace)
    closer = Closer(journal, gateway)
    workers = Workers(gateway)
    workforce = Workforce(temporal_client)
    attention = Attention(gateway, workers, workforce)
    views = Views(journal, gateway, links, closer, attention)
    silence = Silence(closer.close, workers.quiet_s, attention.unserved)
    feed = Feed(journal, metrics, silence)
    app = bare_app()
    app.state.services = Services(
        journal=journal,
        agents=catalog.agents,
        limits=RequestLimits(settings.max_input_bytes, settings.max_metadata_keys),
        metrics=metrics,
        gateway=gateway,
        workforce=workforce,
        namespace=NamespaceCheck(temporal_client, settings.retention),
        links=links,
        views=views,
        feed=feed,
        streams=Streams(
            metrics,
            per_client=settings.max_streams_per_client,
            heartbeat_s=settings.heartbeat_s,
            send_timeout_s=settings.send_timeout_s,
        ),
        board=ProgressBoard(journal, gateway, views, feed),
        sent=SentCommands(),
        attention=attention,
    )
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(CountRequests, metrics=metrics)
    if proxies := settings.forwarded_allow_ips:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    return app


def bare_app() -> FastAPI:
    """The routes and the error table, without anything behind them; enough for OpenAPI."""
    app = FastAPI(
        title="Relayline",
        version="1",
        description="Runs AI agents durably and lets people watch, steer and replay them.",
        responses=errors.PROBLEMS,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redirect_slashes=False,
    )
    errors.install(app)
    for module in (runs, events, progress, commands, decisions, outcomes, health):
        app.include_router(module.router)
    return app


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; works with Temporal down, except for what needs it.

    With several API processes, this one only keeps them running.

    Raises:
        AddressInUse: the address can't be listened on.
        JournalUnavailable: the journal can't be written.
        CatalogError: the user's module can't be used.
        TemporalUnreachable: no Temporal address is configured.
        SystemExit: none of several processes could start; it has said why.
    """
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
    """Be one of several processes.

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
        await Server(app, services.close_streams).serve([listener])
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)
        await services.close()


def main() -> None:
    """Run the API with the settings of the environment; exit 1 with one line on bad ones."""
    run_process("api", serve, AddressInUse, *FORESEEN)


if __name__ == "__main__":
    main()
