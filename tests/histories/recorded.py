"""What the recorded histories say."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_COMPLETED = "workflowExecutionCompletedEventAttributes"
_FAILED = "workflowExecutionFailedEventAttributes"


def events_of(name: str) -> list[dict[str, Any]]:
    """The events of that recorded history."""
    events: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text())["events"]
    return events


def recorded_end(name: str) -> str:
    """The status with which the run of that history has ended."""
    last = events_of(name)[-1]
    if _FAILED in last:
        return "failed"
    [payload] = last[_COMPLETED]["result"]["payloads"]
    status: str = json.loads(base64.b64decode(payload["data"]))["status"]
    return status
