"""The server as those see it who operate it: its parts, workers, limits and version."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from temporalio.client import Client
from temporalio.service import RPCError

from relayline import __version__
from relayline.api.errors import TemporalUnavailable
from relayline.api.serving.readiness import Readiness
from relayline.api.temporal.workers import Workers
from relayline.contracts.operation.system import SystemLimits, SystemView, WorkerSeen
from relayline.runtime.build import code_id


class Configured(NamedTuple):
    """What the settings say of the server; the fields are those of `SystemView`."""

    build: str
    """Empty: what the code adds up to."""
    journal: str
    temporal_ui: str
    """Address of Temporal's own pages; empty: not known."""
    auth: tuple[str, ...]
    retention_days: float | None
    limits: SystemLimits
    providers: tuple[str, ...]


class OpenStreams(Protocol):
    """The streams of this process."""

    @property
    def open_count(self) -> int:
        """How many are open."""
        ...


class System:
    """Tells of the server; what it says of streams is of this process."""

    def __init__(
        self,
        configured: Configured,
        client: Client,
        readiness: Readiness,
        workers: Workers,
        streams: OpenStreams,
    ) -> None:
        self._configured = configured
        self._namespace = client.namespace
        self._readiness = readiness
        self._workers = workers
        self._streams = streams

    async def view(self) -> SystemView:
        """As it is now; each part is asked for a bounded time."""
        configured = self._configured
        health, workers, build = await asyncio.gather(
            self._readiness.check(), self._seen(), self._build()
        )
        ui = configured.temporal_ui.rstrip("/")
        return SystemView(
            **health.model_dump(),
            version=__version__,
            build=build,
            journal=configured.journal,
            namespace=self._namespace,
            temporal_ui=f"{ui}/namespaces/{self._namespace}/workflows" if ui else None,
            auth=configured.auth,
            retention_days=configured.retention_days,
            limits=configured.limits,
            providers=configured.providers,
            open_streams=self._streams.open_count,
            workers=workers,
        )

    async def _build(self) -> str:
        """In a thread: the first time, all files of the code are read."""
        return self._configured.build or await asyncio.to_thread(code_id)

    async def _seen(self) -> tuple[WorkerSeen, ...] | None:
        try:
            return tuple(await self._workers.seen())
        except (TemporalUnavailable, RPCError):
            return None
