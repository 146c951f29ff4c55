"""Server-Sent Events: what goes over the wire for one event."""

from __future__ import annotations

import json
import time

from contracts.envelope import StoredEvent, rfc3339


def frame(event: StoredEvent) -> bytes:
    """The event as a Server-Sent Event: its `seq` is the id."""
    return f"id: {event.seq}\nevent: {event.type}\ndata: {event.envelope_json()}\n\n".encode()


def notice(run_id: str, reason: str) -> bytes:
    """`worker.unavailable`, which is in no journal and so has neither `seq` nor id."""
    envelope = {
        "run_id": run_id,
        "at": rfc3339(time.time_ns() // 1000),
        "type": "worker.unavailable",
        "data": {"reason": reason},
    }
    return f"event: worker.unavailable\ndata: {json.dumps(envelope)}\n\n".encode()
