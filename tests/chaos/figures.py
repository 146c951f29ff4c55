"""Figures of a campaign: how long runs stood still after a kill, what was compared. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tests.chaos.attempts import texts
from tests.chaos.attendance import Span, within
from tests.chaos.faults import Fault
from tests.chaos.observed import MESSAGES, Observed
from tests.runs.laws import RESULTS

WORKER_GONE = "the worker stopped in mid-answer"
ENDS_OF_CALLS = MESSAGES | RESULTS
_BEFORE_US = 1_500_000
"""What was done so long before may still be felt."""
_CLOCK_US = 20_000
"""The kill is noted that much later than it was felt, at most."""
_TOGETHER_US = 300_000
"""A kill at most so long after the newest delta of an attempt is what ended that attempt."""


class Recovery(NamedTuple):
    """From a `kill -9` that cut a stream of tokens to the next attempt's first event."""

    seconds: float
    disturbed: bool
    """Something else was done meanwhile, or shortly before."""
    run_id: str
    cut_us: int
    """When the kill was, in microseconds since 1970."""
    back_us: int
    """When the next attempt's first event was written."""


def recoveries(runs: Iterable[Observed], faults: Sequence[Fault]) -> list[Recovery]:
    """All of them, the quickest first.

    Long ones are disturbed more often: where faults come close together, those that were not
    disturbed are the short ones, and say nothing of how long it takes.
    """
    found: list[Recovery] = []
    for run in runs:
        newest: dict[int, int] = {}
        for event in run.stored:
            if event.step is None or event.attempt is None:
                continue
            if event.type == "attempt.superseded" and event.step in newest:
                found += _recovery(faults, run.run_id, newest.pop(event.step), event.at_us)
            if event.type == "message.delta":
                newest[event.step] = event.at_us
    return sorted(found)


def _recovery(faults: Sequence[Fault], run_id: str, cut_us: int, back_us: int) -> list[Recovery]:
    """The recovery, if it was a kill of a worker that cut the attempt off."""
    about = [it for it in faults if cut_us - _BEFORE_US < it.at_us < back_us]
    for it in about:
        by_kill = (it.what, it.target) == ("kill", "worker")
        if by_kill and -_CLOCK_US < it.at_us - cut_us < _TOGETHER_US:
            seconds = (back_us - it.at_us) / 1e6
            return [Recovery(seconds, len(about) > 1, run_id, it.at_us, back_us)]
    return []


def cut_answers(run: Observed) -> int:
    """How often an answer that was streamed had to begin anew because its worker was gone."""
    voids = (event for event in run.events if event["type"] == "attempt.superseded")
    return sum(event["data"]["reason"] == WORKER_GONE for event in voids)


def percentile(values: Sequence[float], share: float) -> float | None:
    """Of sorted values; None if there are none."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else None


def figures(
    runs: Sequence[Observed], faults: Sequence[Fault], worked: Sequence[Span] = ()
) -> dict[str, Any]:
    """All of them, as JSON.

    Args:
        runs: What was seen.
        faults: What was done.
        worked: When any worker was at work: no call recovers while there is none.
    """
    cut = recoveries(runs, faults)
    attended = sorted(within(worked, it.cut_us, it.back_us) for it in cut)
    every = [it.seconds for it in cut]
    alone = [it.seconds for it in cut if not it.disturbed]
    types = Counter(event.type for run in runs for event in run.stored)
    return {
        "runs": len(runs),
        "ends": dict(Counter(run.status for run in runs)),
        "events": sum(types.values()),
        "characters": sum(texts(run.events) for run in runs),
        "connections": sum(len(them) for run in runs for them in run.clients.values()),
        "commands": sum(len(run.sent) for run in runs),
        "executions": sum(run.executions for run in runs),
        "resets": sum(run.resets for run in runs),
        "rewound": types["run.rewound"],
        "calls": sum(types[kind] for kind in ENDS_OF_CALLS),
        "listed": types["tools.listed"],
        "superseded": types["attempt.superseded"],
        "lost": types["attempt.lost"],
        "cut": sum(map(cut_answers, runs)),
        "effects": sum(len(run.effects) for run in runs),
        "told": sum(it.taken for run in runs for it in run.told or ()),
        "not_taken": sum(not it.taken for run in runs for it in run.told or ()),
        "faults": dict(Counter(f"{it.what} {it.target}" for it in faults)),
        "recoveries": len(every),
        "recovery_p50_s": percentile(every, 0.5),
        "recovery_p95_s": percentile(every, 0.95),
        "recovery_max_s": max(every, default=None),
        "attended_p50_s": percentile(attended, 0.5),
        "attended_p95_s": percentile(attended, 0.95),
        "attended_max_s": max(attended, default=None),
        "undisturbed_recoveries": len(alone),
        "undisturbed_p50_s": percentile(alone, 0.5),
        "undisturbed_p95_s": percentile(alone, 0.95),
        "undisturbed_max_s": max(alone, default=None),
    }
