"""The metrics of `/metrics`, and the middleware that counts requests."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The metrics of one app, in a registry of its own.

    Args:
        folder: Where several processes share their metrics; None for a single process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.registry = CollectorRegistry()
        self.runs_submitted = Counter(
            "relayline_runs_submitted", "Runs started over HTTP", registry=self.registry
        )
        self.requests = Counter(
            "relayline_http_requests",
            "Answered requests",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.streams_open = Gauge(
            "relayline_streams_open",
            "Open event and progress streams",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.events_delivered = Counter(
            "relayline_events_delivered", "Events sent to streams", registry=self.registry
        )
        self.event_lag = Histogram(
            "relayline_event_lag_seconds",
            "Append to the journal until ready for every viewer",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )

    def text(self) -> bytes:
        """Prometheus exposition format; the sum over all processes if there are several."""
        if self._folder is None:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(everybody)


def shared(folder: Path, number: int) -> Metrics:
    """The metrics of process `number` of several, in mapped files; call it first.

    A successor with the same number continues the counts of its predecessor.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    return Metrics(folder)


def forget_gauges(folder: Path, number: int) -> None:
    """Process `number` has died: reset its gauges."""
    mark_process_dead(number, folder)  # type: ignore[no-untyped-call]


class CountRequests:
    """ASGI middleware: counts each answer by method, route template and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._requests = metrics.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; count when the status is known, an unhandled error as 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = False

        async def counted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._count(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            if not answered:  # the framework's answer does not pass through here
                self._count(scope, 500)
            raise

    def _count(self, scope: Scope, status: int) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._requests.labels(scope["method"], route, status).inc()
