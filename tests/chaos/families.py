"""Runs below a run: whether each has ended when its call has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from relayline.contracts.events import TERMINAL_TYPES
from tests.chaos.checks import Check
from tests.chaos.observed import Observed
from tests.runs.laws import only

_ENDS = frozenset({"tool.completed", "tool.failed", "tool.cancelled"})
"""How a call ends that has waited for its run."""


def complaints(run: Observed) -> Iterator[tuple[Check, str]]:
    """Runs that a call has left open, or that are said to have ended twice or never to have begun.

    A reset leaves some behind, which it cancels: such a run is not looked at.
    """
    if len(run.lives) > 1:
        return
    open_: dict[str, str] = {}
    for event in run.events:
        data = event["data"]
        if event["type"] == "child.started":
            open_[data["run_id"]] = data["call_id"]
        elif event["type"] == "child.ended" and open_.pop(data["run_id"], None) is None:
            yield Check.FAMILY, f"{data['run_id']} has ended at {event['seq']}, and was not open"
        elif event["type"] in _ENDS and data["call_id"] in open_.values():
            yield Check.FAMILY, f"{data['call_id']} has ended at {event['seq']}, not its run"


def outliving(runs: Sequence[Observed]) -> Iterator[tuple[str, str]]:
    """Runs that are open though the one that has started them is not."""
    ended = {it.run_id for it in runs if it.end and it.end["type"] in TERMINAL_TYPES}
    for run in runs:
        queued = only(run.events, "run.queued")
        parent = queued[0]["data"].get("parent") if queued else None
        if parent in ended and run.run_id not in ended:
            yield run.run_id, f"outlives {parent}, which has started it"
