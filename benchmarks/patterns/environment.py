"""Environment variables by which the processes of a comparison know each other."""

from __future__ import annotations

import os

FACTOR = "PATTERNS_FACTOR"
"""How many times faster than its own clock the workload is played."""
PROVIDER = "PATTERNS_PROVIDER"
"""Base URL of the provider."""
BROKER = "PATTERNS_BROKER"
"""Where Redis is."""
CAREFUL = "PATTERNS_CAREFUL"
"""`1`: the queue has other settings than Celery's defaults, see `benchmarks.patterns.queued`."""


def factor() -> float:
    """How many times faster than the workload's own clock this process must be."""
    return float(os.environ.get(FACTOR, "1"))
