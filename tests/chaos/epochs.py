"""Resets by operators: what is told of them, and what comes from them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relayline.projections.valid import REWOUND
from tests.chaos.checks import Check
from tests.chaos.observed import Observed

_OF_EPOCH = re.compile(r"(\d+)/(?:step|call)/([^/]+).*")
"""Keys of what activities and the steps of a run write."""
_Complaints = Iterator[tuple[Check, str]]


def complaints(run: Observed) -> _Complaints:
    """Resets that were not told, or not rightly, and facts under the keys of another epoch."""
    rewinds = [event for event in run.events if event["type"] == REWOUND]
    told = [event["data"]["epoch"] for event in rewinds]
    if told != list(range(1, len(told) + 1)) or len(told) < run.resets:
        yield Check.EPOCHS, f"{run.resets} resets, told were the epochs {told}"
    for event, before in zip(rewinds, run.lives, strict=False):
        kept = event["data"]["to_seq"]
        if kept and kept not in {earlier["seq"] for earlier in before}:
            yield Check.EPOCHS, f"at {event['seq']}: {kept} does not count any more"
    yield from _keys(run)


def _keys(run: Observed) -> _Complaints:
    """From a reset on, facts have the keys of the new epoch, but for what was begun before.

    That is a step, and the call of another agent, whose run a reset leaves open.
    """
    epoch, begun, asked = 0, dict[int | None, int](), set[tuple[str, str]]()
    for event in run.stored:
        epoch += event.type == REWOUND
        if event.type == "step.started":
            begun[event.step] = epoch
        found = _OF_EPOCH.fullmatch(event.key or "")
        if found and event.type == "child.started":
            asked.add((found[1], found[2]))
        waited = found is not None and (found[1], found[2]) in asked
        if found and not waited and int(found[1]) not in {epoch, begun.get(event.step)}:
            yield Check.EPOCHS, f"{event.key} at {event.seq}, in epoch {epoch}"
