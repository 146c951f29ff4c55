"""What a receiver of webhooks was told of a run, against the journal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from relayline.contracts.webhooks import TOLD_TYPES
from tests.chaos.checks import Check
from tests.chaos.observed import Observed


class Told(NamedTuple):
    """One request that a receiver got, in the order in which they came."""

    id: str
    """Its `webhook-id`."""
    seq: int
    """Of the event in the body."""
    type: str
    body: str
    taken: bool
    """True if the receiver answered with 2xx."""
    verified: bool = True
    """True if its signature was good."""


def expected(run: Observed) -> list[int]:
    """Every fact that receivers must be told of, whatever became of it later."""
    return [it.seq for it in run.stored if it.key is not None and it.type in TOLD_TYPES]


def complaints(run: Observed) -> Iterator[tuple[Check, str]]:
    """What is missing, comes too early, or comes under another name."""
    if run.told is None:
        return
    taken = {it.seq for it in run.told if it.taken}
    if missing := [seq for seq in expected(run) if seq not in taken]:
        yield Check.TOLD, f"nobody was told of {missing[:10]}"
    yield from _names(run, run.told)
    yield from _order(run, run.told)


def _names(run: Observed, told: Sequence[Told]) -> Iterator[tuple[Check, str]]:
    """One event has one id and one body, and is one of the journal."""
    bodies: dict[str, str] = {}
    events = {it.seq: it.type for it in run.stored}
    for it in told:
        if it.id != f"{run.run_id}.{it.seq}" or events.get(it.seq) != it.type:
            yield Check.TOLD_ONCE, f"{it.id!r} told of {it.type} {it.seq}"
        if bodies.setdefault(it.id, it.body) != it.body:
            yield Check.TOLD_ONCE, f"{it.id!r} came with two bodies"
        if not it.verified:
            yield Check.TOLD_ONCE, f"{it.id!r} is not signed"


def _order(run: Observed, told: Sequence[Told]) -> Iterator[tuple[Check, str]]:
    """An event is tried for the first time once all before it were taken."""
    taken: set[int] = set()
    wanted = expected(run)
    for it in told:
        if early := [seq for seq in wanted if seq < it.seq and seq not in taken]:
            yield Check.TOLD_ORDER, f"{it.seq} came before {early}"
        if it.taken:
            taken.add(it.seq)
