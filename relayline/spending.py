"""What the model calls of a worker have used: the counters of its `/metrics`."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from relayline.contracts.messages import Usage
from relayline.outbound.exposition import exposed

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MAX_PAIRS = 200
"""Agents and models that have counters of their own; runs may name any model, and each pair lives
as long as the worker."""
OTHERS = ("others", "others")
"""The labels of all further ones."""
_LABELS = ("agent", "model")
_Counts = defaultdict[tuple[str, ...], float]


class Spending:
    """Counts calls that ended, by agent and model; threads may share it.

    Each attempt that the provider has answered counts once, as it was paid, also if its answer came
    too late to be journaled and the call was tried again. Attempts that were cut off without an
    answer are not counted: nobody knows what they cost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[tuple[str, str]] = set()
        self._tokens = _Counts(float)
        self._cost = _Counts(float)
        self._unpriced = _Counts(float)

    def __call__(self, agent: str, model: str, usage: Usage) -> None:
        """Count one call of that usage, which has its cost if that is known."""
        if not usage.total_tokens:
            return
        with self._lock:
            pair = self._pair(agent, model)
            self._tokens[*pair, "input"] += usage.input_tokens
            self._tokens[*pair, "output"] += usage.output_tokens
            if usage.cost is None:
                self._unpriced[pair] += 1
            else:
                self._cost[pair] += float(usage.cost.dollars)

    def text(self) -> bytes:
        """In the exposition format of Prometheus."""
        return exposed(self)[1]

    def collect(self) -> Iterator[Metric]:
        """The metrics, as a registry asks for them."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415  workers start sooner
            CounterMetricFamily,
        )

        with self._lock:
            tokens, cost, unpriced = (dict(it) for it in (self._tokens, self._cost, self._unpriced))
        for name, text, labels, counts in (
            ("tokens", "Tokens of model calls that ended", (*_LABELS, "kind"), tokens),
            ("cost_usd", "US dollars that these calls cost at known prices", _LABELS, cost),
            (
                "unpriced_calls",
                "Model calls that ended, whose price is not known",
                _LABELS,
                unpriced,
            ),
        ):
            family = CounterMetricFamily(f"relayline_model_{name}", text, labels=labels)
            for values, count in counts.items():
                family.add_metric(values, count)
            yield family

    def _pair(self, agent: str, model: str) -> tuple[str, str]:
        pair = (agent, model)
        if pair not in self._seen and len(self._seen) >= MAX_PAIRS:
            return OTHERS
        self._seen.add(pair)
        return pair
