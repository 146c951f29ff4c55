"""The bytes of one Server-Sent Event."""

from __future__ import annotations

import json

from relayline.contracts.envelope import StoredEvent, rfc3339
from relayline.journal.rows import now_us


def frame(event: StoredEvent) -> bytes:
    """The event as a Server-Sent Event: its `seq` is the id."""
    return f"id: {event.seq}\nevent: {event.type}\ndata: {event.envelope_json()}\n\n".encode()


UNAVAILABLE = "worker.unavailable"
LOST = "events.lost"


def notice(run_id: str, kind: str, reason: str) -> bytes:
    """An event that is not in the journal and so has neither `seq` nor id.

    `events.lost` makes all earlier ids invalid: its own is empty, so that a browser's EventSource
    forgets the newest id and reconnects from the start.
    """
    envelope = {
        "run_id": run_id,
        "at": rfc3339(now_us()),
        "type": kind,
        "data": {"reason": reason},
    }
    forget = "id:\n" if kind == LOST else ""
    return f"{forget}event: {kind}\ndata: {json.dumps(envelope)}\n\n".encode()
