"""What is made of the rounds: times, failures, tokens, memory. Pure.

Times are on the workload's clock: real seconds by the factor. A user who left without an answer
counts with the time after which users leave.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from benchmarks.measure import Figure, p50, p95, percentile
from benchmarks.patterns.clients import GIVE_UP_S, Seen
from benchmarks.patterns.rounds import Round, Trouble
from benchmarks.patterns.workload import NEEDED

BENCH = "patterns"
UNMEASURED = "not measured: "
"""What the name of a figure has behind the pattern when there is none."""


COMPRESSED = "time compressed by"
NO_ANSWER = "users without an answer"


class Pattern(StrEnum):
    """Who serves; the values are names of figures."""

    SYNC = "synchronous"
    QUEUE = "queue, polled"
    CARELESS = "queue as it comes"
    STREAM = "stream of the request"
    OURS = "Relayline"


def unmeasured(pattern: Pattern, why: str) -> Figure:
    """There are no figures of that pattern, and why."""
    return Figure(BENCH, f"{pattern}: {UNMEASURED}{why}", "", 0)


def figures(pattern: Pattern, found: Round) -> list[Figure]:
    """What came of a round; with an outage the times, too."""
    told = _failures(found)
    if found.trouble is Trouble.OUTAGE:
        told = [*_times(found), *told, *_cost(found)]
    trouble = "" if found.trouble is Trouble.OUTAGE else f"{found.trouble}: "
    named = [
        it._replace(bench=BENCH, name=f"{pattern}: {trouble}{it.name}", load=found.load)
        for it in told
    ]
    return [_judged(pattern, it) for it in named]


def _judged(pattern: Pattern, figure: Figure) -> Figure:
    """Ours must leave nobody without an answer."""
    if pattern is Pattern.OURS and figure.name.endswith(NO_ANSWER):
        return figure._replace(limit=0, rule="none")
    return figure


def _row(name: str, unit: str, value: float) -> Figure:
    return Figure(BENCH, name, unit, value)


def _since(seen: Seen, at: float | None, factor: float) -> float:
    return GIVE_UP_S if at is None else (at - seen.began) * factor


def _times(found: Round) -> list[Figure]:
    """Until the work was accepted, the first text, the end."""
    accepted = [_since(it, it.accepted, found.factor) for it in found.seen]
    first = [_since(it, it.first, found.factor) for it in found.seen]
    ended = [_since(it, it.ended, found.factor) for it in found.seen]
    return [
        _row("accepted, p50", "s", p50(accepted)),
        _row("accepted, p95", "s", p95(accepted)),
        _row("first text, p50", "s", p50(first)),
        _row("first text, p95", "s", p95(first)),
        _row("end, p50", "s", p50(ended)),
        _row("end, p95", "s", p95(ended)),
        _row("end, p99", "s", percentile(ended, 99)),
    ]


def _failures(found: Round) -> list[Figure]:
    """What users ran into, and what was paid for it."""
    seen, ledger = found.seen, found.ledger
    return [
        _row("requests refused", "", sum(it.refused for it in seen)),
        _row("requests timed out", "", sum(it.timed_out for it in seen)),
        _row("runs failed", "", sum(it.failed for it in seen)),
        _row("answers broken off", "", sum(it.broken for it in seen)),
        _row("streams resumed", "", sum(it.resumed for it in seen)),
        _row("submitted again", "", sum(max(0, it.submissions - 1) for it in seen)),
        _row(NO_ANSWER, "", sum(it.ended is None for it in seen)),
        _row("tokens paid twice", "%", 100 * twice(ledger.tokens.values()) / (NEEDED * len(seen))),
    ]


def twice(tokens: Iterable[int]) -> int:
    """Tokens beyond those of one pass, of each run by itself."""
    return sum(max(0, it - NEEDED) for it in tokens)


def _cost(found: Round) -> list[Figure]:
    """What the provider and the machine had of it."""
    return [
        _row("calls during the outage", "", found.ledger.refused),
        _row("memory", "MB", found.peak.memory_mb),
        _row("open sockets", "", found.peak.sockets),
        _row("CPU per run", "ms", 1e3 * sum(found.cpu_s.values()) / len(found.seen)),
        _row(COMPRESSED, "", found.factor),
    ]
