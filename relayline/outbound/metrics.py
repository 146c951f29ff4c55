"""What a worker tells Prometheus of webhooks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from relayline.contracts.webhooks import TryOutcome
from relayline.journal.webhooks import Backlog
from relayline.outbound.exposition import exposed

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

# ruff: noqa: PLC0415  the library is imported when somebody asks: workers start sooner


class WebhookMetrics:
    """The tries of this process, and how much the journal has left to tell.

    One thread may count and show while another one asks for the text. Labels have the values of
    closed sets only, so there are as many series from the first scrape on.
    """

    def __init__(self) -> None:
        self._tries = dict.fromkeys(TryOutcome, 0)
        self._backlog: Backlog | None = None

    def count(self, outcome: TryOutcome) -> None:
        """One more try with that outcome."""
        self._tries[outcome] += 1

    def show(self, backlog: Backlog | None) -> None:
        """What is left to tell; None, while nobody knows, shows nothing of it."""
        self._backlog = backlog

    def text(self) -> tuple[str, bytes]:
        """Content type and text in Prometheus exposition format."""
        return exposed(self)

    def collect(self) -> Iterator[Metric]:
        """The metrics, as a registry asks for them."""
        from prometheus_client.metrics_core import CounterMetricFamily

        tries = CounterMetricFamily(
            "relayline_webhook_tries", "Tries of this process by outcome", labels=("outcome",)
        )
        for outcome, count in self._tries.items():
            tries.add_metric((outcome.value,), count)
        yield tries
        if (backlog := self._backlog) is not None:
            yield from _of_all(backlog)


def _of_all(backlog: Backlog) -> Iterator[Metric]:
    """Of the whole deployment: every worker tells the same."""
    from prometheus_client.metrics_core import GaugeMetricFamily

    it, oldest_s = backlog, 0.0
    if it.oldest_us is not None:
        oldest_s = max(0.0, time.time() - it.oldest_us / 1_000_000)
    yield GaugeMetricFamily(
        "relayline_webhook_deliveries_pending", "Deliveries that will be tried", it.pending
    )
    yield GaugeMetricFamily(
        "relayline_webhook_oldest_pending_seconds", "Age of the oldest of them", oldest_s
    )
    yield GaugeMetricFamily(
        "relayline_webhook_untold", "Facts of which no deliveries are made yet", it.untold
    )
    receivers = GaugeMetricFamily(
        "relayline_webhook_receivers", "Receivers by state", labels=("state",)
    )
    healthy = it.receivers - it.failing - it.disabled
    for state, count in (("ok", healthy), ("failing", it.failing), ("disabled", it.disabled)):
        receivers.add_metric((state,), count)
    yield receivers
