"""What a receiver is told of an event. Pure."""

from __future__ import annotations

import json
from typing import Any

from pydantic import JsonValue

from relayline.contracts.envelope import StoredEvent, rfc3339
from relayline.contracts.events import TERMINAL_TYPES
from relayline.contracts.runs.output import output_text
from relayline.contracts.webhooks import MAX_OUTPUT_BYTES

_STATUS = {
    "run.queued": "queued",
    "run.waiting": "waiting",
    "turn.completed": "idle",
    **{kind: status.value for kind, status in TERMINAL_TYPES.items()},
}
"""The status of the run that the event tells of."""
_TAKEN = ("turn", "error", "waiting_for")


def body_of(event: StoredEvent, given: str) -> bytes:
    """The body `{type, timestamp, data}`: the same bytes at every try.

    Args:
        event: Of a type in `TOLD_TYPES`.
        given: The data of `run.queued`, or of `run.started` where there is none.
    """
    said, run = json.loads(event.data), json.loads(given)
    data: dict[str, JsonValue] = {
        "run_id": event.run_id,
        "seq": event.seq,
        "status": _STATUS[event.type],
        "agent": run["agent"],
    }
    data |= {name: said[name] for name in _TAKEN if said.get(name) is not None}
    data |= _output(said)
    data["metadata"] = run.get("metadata") or {}
    body = {"type": event.type, "timestamp": rfc3339(event.at_us), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _output(said: dict[str, Any]) -> dict[str, JsonValue]:
    """The output; one that is too long as text, cut at a character."""
    output = said.get("output")
    if output is None:
        return {}
    kind = {"output_type": said["output_type"]} if "output_type" in said else {}
    whole = output_text(output).encode()
    if len(whole) <= MAX_OUTPUT_BYTES:
        return {"output": output, **kind}
    cut = whole[:MAX_OUTPUT_BYTES].decode(errors="ignore")
    return {"output": cut, **kind, "truncated": True}
