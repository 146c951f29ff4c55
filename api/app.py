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
from relayline.api.auth.bearer import Authenticate
from relayline.api.auth.rates import LimitRates
from relayline.api.auth.scopes import SCHEMES
from relayline.api.event_schemas import describe_events
from relayline.api.mcp.endpoint import McpEndpoint, ServeMcp
from relayline.api.routes import (
    agents,
    batches,
    commands,
    conversations,
    decisions,
    docs,
    events,
    files,
    outcomes,
    pages,
    quotas,
    runs,
    schedules,
    webhooks,
)
from relayline.api.routes import server as server_routes
from relayline.api.routes.access import audit, credentials, keys
from relayline.api.services import Services, services_of
from relayline.api.serving import processes
from relayline.api.serving.closed import IgnoreClosed
from relayline.api.serving.head import AnswerHead
from relayline.api.serving.metrics import CountRequests, Metrics, shared
from relayline.api.serving.origins import CheckOrigin, allowed_hosts, is_loopback
from relayline.api.serving.protocol import ConnectionLimits
from relayline.api.serving.server import AddressInUse, BodyLimit, Server, listen_each
from relayline.api.web import routes as web_routes
from relayline.catalog.agents import Catalog, CatalogError
from relayline.contracts.principals import ANYBODY
from relayline.contracts.submissions.batches import MAX_BATCH_BYTES
from relayline.journal.port import JournalUnavailable
from relayline.journal.table import Storage
from relayline.runtime.process import build_keyring, opened_journal, run_process
from relayline.runtime.setting_groups.access_settings import OFF
from relayline.runtime.settings import BadSettings, Settings
from relayline.runtime.temporal import TemporalUnreachable, connect
from relayline.wiring import build_catalog


class Unguarded(Exception):
    """Everybody who reaches the address could do anything; the message says what to set."""


FORESEEN = (JournalUnavailable, CatalogError, TemporalUnreachable, BadSettings)
"""Errors that keep a process from serving; the message says what to do."""
LARGER_BODIES = {batches.router.prefix: MAX_BATCH_BYTES}
"""Paths that take more than `max_body_bytes`."""
_EXPOSED = (
    *("Location", "RateLimit", "RateLimit-Policy", "Retry-After"),
    *("X-Command-Id", "X-Run-Id"),
)
"""Headers of an answer that pages of the listed origins may read."""
_OF_RUNS = (runs, pages, events, commands, conversations, decisions, outcomes, batches, schedules)
_OF_ACCESS = (keys, credentials, quotas, audit)
_OPEN = (server_routes, docs, web_routes)
ROUTERS = tuple(
    module.router for module in (*_OF_RUNS, agents, files, webhooks, *_OF_ACCESS, *_OPEN)
)
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
    services = services_of(settings, storage, temporal_client, catalog, metrics)
    app.state.services = services
    app.state.everybody = None if settings.auth_modes else ANYBODY
    app.state.mcp = McpEndpoint(app, decides=settings.mcp_decide)
    app.add_middleware(ServeMcp, endpoint=app.state.mcp)
    app.add_middleware(IgnoreClosed)
    larger = LARGER_BODIES | {files.router.prefix: settings.max_file_bytes}
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, larger=larger)
    if settings.auth_modes:
        if settings.rates or settings.tenant_rates:
            app.add_middleware(LimitRates, buckets=services.access.buckets)
        access = services.access
        app.add_middleware(Authenticate, authenticators=access.authenticators, denied=access.denied)
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
            expose_headers=_EXPOSED,
        )
    hosts = allowed_hosts(settings.allowed_hosts, settings.api_host)
    app.add_middleware(CheckOrigin, hosts=hosts, origins=origins)


class App(FastAPI):
    """FastAPI whose OpenAPI document has the type of each event."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            describe_events(made := super().openapi())
            problems.describe_problems(made)
            made["components"]["securitySchemes"] = SCHEMES
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
    for router in ROUTERS:
        app.include_router(router)
    return app


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; with Temporal down, only the calls that need it fail.

    With several API processes, this one only supervises them.

    Raises:
        Unguarded: it can be reached from elsewhere, and authentication is off.
        AddressInUse: the address can't be listened on.
        JournalUnavailable: the journal can't be written.
        CatalogError: the user's module can't be used.
        TemporalUnreachable: no Temporal address is configured.
        SystemExit: no process could start; the reason is on stderr.
    """
    _check_guarded(settings)
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


def _check_guarded(settings: Settings) -> None:
    """Return if somebody checks who uses the API, or only this machine reaches it.

    Raises:
        Unguarded: neither is so.
    """
    if settings.auth == OFF and not is_loopback(settings.api_host):
        raise Unguarded(
            f"RELAYLINE_API_HOST is {settings.api_host} and RELAYLINE_AUTH is off, so that all who "
            "reach it could do anything: set RELAYLINE_AUTH=keys and make a key with `relayline "
            "key create`, or RELAYLINE_AUTH=off-behind-proxy if a proxy in front authenticates"
        )


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
        client = await connect(build_keyring(settings), lazy=True)
        app = create_app(settings, journal, client, build_catalog(settings, own=False), metrics)
        services: Services = app.state.services
        await services.agents.fresh()
        host, port = listener.getsockname()[:2]
        _log.info("listening", extra={"host": host, "port": port})
        checking = asyncio.create_task(services.namespace.state(), name="check the namespace")
        if services.access.audit_log:
            services.access.audit_log.start()
        if part:
            part.say_ready()
        await Server(app, services.close_streams, _limits(settings)).serve([listener])
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)
        await app.state.mcp.close()
        await services.close()


def _limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        unread_s=settings.send_timeout_s,
        message_bytes=settings.max_body_bytes,
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
    run_process("api", serve, AddressInUse, Unguarded, *FORESEEN)


if __name__ == "__main__":
    main(sys.argv[1:])
