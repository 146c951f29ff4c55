"""What a worker tells Prometheus of its MCP servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from relayline.outbound.exposition import exposed

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from relayline.activities.tool.mcp.servers import McpServers, ServerState

_SERVER = ("server",)


class McpFigures:
    """Calls, connections and breakers by server, as the user's module names it; from any thread.

    Each server has all its series from the first scrape on, and nothing has more labels.
    """

    def __init__(self) -> None:
        self._servers: McpServers | None = None

    def watch(self, servers: McpServers | None) -> None:
        """Tell of these; of none before that, or if the catalog declares none."""
        self._servers = servers

    def text(self) -> bytes:
        """In the exposition format of Prometheus."""
        return exposed(self)[1] if self._servers else b""

    def collect(self) -> Iterator[Metric]:
        """The metrics, as a registry asks for them."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415  workers start sooner
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        servers = self._servers
        states = {name: servers.state(name) for name in servers.names} if servers else {}
        about = "Calls of its tools that ended in this process, by outcome"
        calls = CounterMetricFamily("relayline_mcp_calls", about, labels=(*_SERVER, "outcome"))
        for name, state in states.items():
            for outcome, count in state.calls.items():
                calls.add_metric((name, outcome), count)
        yield calls
        for kind, metric, text, value in (
            (GaugeMetricFamily, "connections", "Open connections", _open),
            (CounterMetricFamily, "connections_opened", "Connections that were opened", _opened),
            (CounterMetricFamily, "failures", "Connections that failed or broke", _failures),
            (GaugeMetricFamily, "breaker_open", "1 while it is not tried any more", _broken),
        ):
            family = kind(f"relayline_mcp_{metric}", text, labels=_SERVER)
            for name, state in states.items():
                family.add_metric((name,), value(state))
            yield family


def _open(state: ServerState) -> int:
    return state.connections


def _opened(state: ServerState) -> int:
    return state.opened


def _failures(state: ServerState) -> int:
    return state.failures


def _broken(state: ServerState) -> int:
    return int(state.open_s > 0)
