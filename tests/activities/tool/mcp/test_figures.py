"""What a worker tells Prometheus of its MCP servers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from relayline.activities.tool.mcp.port import McpFailure, OutcomeUnknown
from relayline.activities.tool.mcp.servers import OUTCOMES
from relayline.activities.tool.served.figures import McpFigures
from relayline.catalog.servers.mcp import Env, McpServer
from tests.activities.tool.mcp.conftest import Opened, eventually, odd, words

HIDDEN = "their-own-secret"


class Seen:
    """The figures, as a registry has them."""

    def __init__(self) -> None:
        self.figures = McpFigures()
        self._registry = CollectorRegistry()
        self._registry.register(self.figures)

    def value(self, metric: str, server: str = "odd", **labels: str) -> float | None:
        labels = {"server": server, **labels}
        return self._registry.get_sample_value(f"relayline_mcp_{metric}", labels)


def test_a_worker_without_servers_shows_nothing() -> None:
    figures = McpFigures()
    figures.watch(None)
    assert figures.text() == b""


@pytest.mark.slow
async def test_calls_count_by_their_outcome_and_connections_as_they_are(
    opened: Opened, tmp_path: Path
) -> None:
    wing = await opened(odd(tmp_path, env={"ODD_SECRET": Env("S")}), environ={"S": HIDDEN})
    seen = Seen()
    seen.figures.watch(wing.servers)
    assert [seen.value("calls_total", outcome=it) for it in OUTCOMES] == [0] * len(OUTCOMES)
    assert (seen.value("connections"), seen.value("breaker_open")) == (0, 0)
    await wing.pin()
    assert (seen.value("connections"), seen.value("connections_opened_total")) == (1, 1)
    await wing.call("lie")
    await wing.call("order", {"what": "tea"})
    call = asyncio.create_task(wing.call("wait", {"seconds": 600}))
    await eventually(lambda: words(tmp_path, "waiting") == 1)
    call.cancel()
    await asyncio.wait({call})
    with pytest.raises(OutcomeUnknown):
        await wing.call("die")
    with pytest.raises(McpFailure):
        await wing.call("die_once")
    assert [seen.value("calls_total", outcome=it) for it in OUTCOMES] == [1, 1, 1, 1, 1]
    await eventually(lambda: seen.value("connections") == 0)
    assert seen.value("connections_opened_total") == 2
    await eventually(lambda: bool(seen.value("failures_total")))
    assert seen.value("failures_total") in {1, 2}, "within a second they count as one"
    text = seen.figures.text().decode()
    assert HIDDEN not in text
    assert str(tmp_path) not in text
    assert text.count("{") == text.count('{server="odd"') + text.count('outcome="') == 9


@pytest.mark.slow
async def test_a_breaker_shows_that_it_is_open(opened: Opened) -> None:
    wing = await opened(McpServer("none", command=("there-is-no-such-program",)))
    seen = Seen()
    seen.figures.watch(wing.servers)
    while seen.value("breaker_open", "none") == 0:
        with pytest.raises(McpFailure):
            await wing.pin()
    assert seen.value("failures_total", "none") == 5
    assert seen.value("connections", "none") == 0
