"""Figures of a campaign: how long runs stood still after a kill, what was compared. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests.chaos.attempts import texts
from tests.chaos.faults import Fault
from tests.chaos.observed import Observed

_BEFORE_US = 1_500_000
"""What was done so long before may still be felt."""
_TOGETHER_US = 300_000
"""A kill at most so long after the newest delta of an attempt is what ended that attempt."""


def recoveries_s(runs: Iterable[Observed], faults: Sequence[Fault]) -> list[float]:
    """From each `kill -9` that cut a stream of tokens to the next attempt's first event, sorted.

    Those during which, or shortly before which, something else was done are left out.
    """
    found: list[float] = []
    for run in runs:
        newest: dict[int, int] = {}
        for event in run.stored:
            if event.step is None or event.attempt is None:
                continue
            if event.type == "attempt.superseded" and event.step in newest:
                cause = _cause(faults, newest[event.step], event.at_us)
                found += [(event.at_us - cause.at_us) / 1e6] if cause else []
            if event.type == "message.delta":
                newest[event.step] = event.at_us
    return sorted(found)


def _cause(faults: Sequence[Fault], cut_us: int, back_us: int) -> Fault | None:
    """The kill that cut an attempt off, if it was the only thing that was done."""
    about = [it for it in faults if cut_us - _BEFORE_US < it.at_us < back_us]
    if len(about) != 1 or (about[0].what, about[0].target) != ("kill", "worker"):
        return None
    return about[0] if -20_000 < about[0].at_us - cut_us < _TOGETHER_US else None


def percentile(values: Sequence[float], share: float) -> float | None:
    """Of sorted values; None if there are none."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else None


def figures(runs: Sequence[Observed], faults: Sequence[Fault]) -> dict[str, Any]:
    """All of them, as JSON."""
    recovered = recoveries_s(runs, faults)
    types = Counter(event.type for run in runs for event in run.stored)
    return {
        "runs": len(runs),
        "ends": dict(Counter(run.status for run in runs)),
        "events": sum(types.values()),
        "characters": sum(texts(run.events) for run in runs),
        "connections": sum(len(them) for run in runs for them in run.clients.values()),
        "commands": sum(len(run.sent) for run in runs),
        "superseded": types["attempt.superseded"],
        "effects": sum(len(run.effects) for run in runs),
        "faults": dict(Counter(f"{it.what} {it.target}" for it in faults)),
        "recoveries": len(recovered),
        "recovery_p50_s": percentile(recovered, 0.5),
        "recovery_p95_s": percentile(recovered, 0.95),
    }
