"""Metrics as Prometheus reads them, made when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.registry import Collector


def exposed(collector: Collector) -> tuple[str, bytes]:
    """Content type and text; the library is imported here only, so that workers start sooner."""
    from prometheus_client import (  # noqa: PLC0415  as said
        CONTENT_TYPE_LATEST,
        CollectorRegistry,
        generate_latest,
    )

    registry = CollectorRegistry()
    registry.register(collector)
    return CONTENT_TYPE_LATEST, generate_latest(registry)
