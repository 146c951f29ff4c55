"""The tools of MCP servers that a run has pinned, against what it was offered and called. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from relayline.contracts.envelope import StoredEvent
from relayline.projections.valid import REWOUND
from tests.chaos.checks import Check
from tests.chaos.observed import Observed

SERVER = "desk_"
"""How the names of its tools begin."""
EDITION = f"{SERVER}edition"
"""Each process of the server defines this tool in its own way, and the tool gives that."""
_Complaints = Iterator[tuple[Check, str]]


def complaints(run: Observed) -> _Complaints:
    """Lists that are not the only one of their turn, and calls of what was not pinned."""
    yield from _lists(run)
    calls = _Calls()
    for event in run.stored:
        yield from calls.read(event)


def _lists(run: Observed) -> _Complaints:
    """One list for each turn of each epoch; of a run without turns, one for each epoch."""
    epoch, turns, listed = 0, dict[int | None, int | None](), Counter[tuple[int, int | None]]()
    for event in run.stored:
        epoch += event.type == REWOUND
        if event.type == "step.started":
            turns[event.step] = json.loads(event.data).get("turn")
        if event.type == "tools.listed" and event.seq > run.past:
            place = (epoch, turns.get(event.step))
            listed[place] += 1
            if listed[place] > 1:
                yield Check.PINNED, f"listed again at {event.seq}, in epoch {epoch}"


class _Calls:
    """Reads events in order: a call is of a tool as the list has it that was in force then."""

    def __init__(self) -> None:
        self._newest: dict[str, str] = {}
        """The definition of each tool in the newest list, as JSON."""
        self._pinned: dict[str, dict[str, str]] = {}
        """The same for each call, of the list with which the model asked for it."""

    def read(self, event: StoredEvent) -> _Complaints:
        """The next event."""
        data: dict[str, Any] = json.loads(event.data)
        match event.type:
            case "tools.listed":
                self._newest = {it["spec"]["name"]: json.dumps(it) for it in data["specs"]}
            case "message.completed":
                ids = [call["call_id"] for call in data["tool_calls"]]
                self._pinned |= dict.fromkeys(ids, self._newest)
            case "tool.started" if data["name"].startswith(SERVER):
                if not self._definition(data):
                    yield Check.PINNED, f"{data['call_id']} at {event.seq} is in no list"
            case "tool.completed" if data["name"] == EDITION:
                if data["output"] not in self._definition(data):
                    yield Check.PINNED, f"{data['call_id']} ran what was not pinned"

    def _definition(self, call: dict[str, Any]) -> str:
        return self._pinned.get(call["call_id"], {}).get(call["name"], "")
