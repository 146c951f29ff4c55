"""Histories in which the tools of MCP servers are not what the run has pinned."""

from __future__ import annotations

from tests.chaos.checks import Check
from tests.chaos.observed import Observed
from tests.chaos.pins import EDITION
from tests.chaos.samples import Line, after, instead, observed

_CALL = {"call_id": "call_1_0", "name": EDITION, "arguments": {}, "output": "edition 2"}
_DESK = Line("tool.started", _CALL, 1, 1)
_LISTED = Line("tools.listed", {"specs": []}, 1, 1)
PINS: list[tuple[str, Check, Observed]] = [
    ("tools are listed twice", Check.PINNED, observed(after("step.started", _LISTED, _LISTED))),
    (
        "a tool runs that is in no list",
        Check.PINNED,
        observed(after("step.started", _LISTED), after("message.completed", _DESK)),
    ),
    (
        "a tool runs as it was not when it was listed",
        Check.PINNED,
        observed(instead("tool.completed", data=_CALL)),
    ),
]
