"""How long a call waits that has failed by itself.

Temporal's own policy (`workflows/policy.py`) is for what is nobody's fault, as a killed worker, and
has no patience: it would make a run wait that has had bad luck.
"""

from __future__ import annotations

FIRST_S = 0.25
LONGEST_S = 20.0


def backoff_s(failures: int) -> float:
    """Seconds until the next try after so many failures, twice as long each time."""
    return min(FIRST_S * 2.0 ** (failures - 1), LONGEST_S)
