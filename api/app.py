"""Composition root of the API process: settings → journal, catalog, client → app → server."""

from __future__ import annotations

import logging
from contextlib import closing

from fastapi import FastAPI
from temporalio.client import Client

from api import commands, decisions, errors, events, health, outcomes, progress, runs
from api.attention import Attention, Workers
from api.board import ProgressBoard
from api.closer import Closer
from api.feed import Feed
from api.gateway import Gateway
from api.metrics import CountRequests, Metrics
from api.receipts import SentCommands
from api.server import AddressInUse, BodyLimit, Server, listen
from api.services import RequestLimits, Services
from api.silence import Silence
from api.streams import Streams
from api.views import LinkMaker, Views
from catalog.agents import Catalog, CatalogError
from journal.port import Journal, JournalUnavailable
from settings import Settings
from temporal_client import TemporalUnreachable, connect
from wiring import build_catalog, opened_journal, run_process

_log = logging.getLogger(__name__)


def create_app(
    settings: Settings, journal: Journal, temporal_client: Client, catalog: Catalog
) -> FastAPI:
    """The app; `app.state.services` has what it works with.

    Whoever serves it closes it: `services.close_streams()` first, `services.close()` last.
    Journal and client stay the caller's.
    """
    metrics = Metrics()
    gateway = Gateway(temporal_client)
    links = LinkMaker(settings.temporal_ui, temporal_client.namespace)
    closer = Closer(journal, gateway)
    workers = Workers(gateway)
    attention = Attention(gateway, workers)
    views = Views(journal, gateway, links, closer, attention)
    feed = Feed(journal, metrics, Silence(closer.close, workers.quiet_s))
    app = bare_app()
    app.state.services = Services(
        journal=journal,
        agents=catalog.agents,
        limits=RequestLimits(settings.max_input_bytes, settings.max_metadata_keys),
        metrics=metrics,
        gateway=gateway,
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

    Raises:
        AddressInUse: the address can't be listened on.
        JournalUnavailable: the journal can't be written.
        CatalogError: the user's module can't be used.
        TemporalUnreachable: no Temporal address is configured.
    """
    listener = listen(settings.api_host, settings.api_port)
    with closing(listener):
        async with opened_journal(settings) as journal:
            app = create_app(settings, journal, await connect(lazy=True), build_catalog(settings))
            services: Services = app.state.services
            host, port = listener.getsockname()[:2]
            _log.info("listening", extra={"host": host, "port": port})
            await Server(app, services.close_streams).serve([listener])
            await services.close()


def main() -> None:
    """Run the API with the settings of the environment; exit 1 with one line on bad ones."""
    run_process("api", serve, AddressInUse, JournalUnavailable, CatalogError, TemporalUnreachable)


if __name__ == "__main__":
    main()
