"""When a run starts: at once, at a time, or after a while."""

from __future__ import annotations

from datetime import datetime, timedelta

from relayline.api.bodies import RunRequest
from relayline.api.errors import InvalidField

MAX_DELAY = timedelta(days=366)
"""How far ahead a run may be submitted."""


def start_of(request: RunRequest, now: datetime) -> datetime | None:
    """When the run starts; None: at once.

    Raises:
        InvalidField: both `start_at` and `delay_s` are given, or the time is too far ahead.
    """
    if request.start_at is not None and request.delay_s is not None:
        raise InvalidField("delay_s: give it or start_at, not both", field="delay_s")
    field, start_at = "start_at", request.start_at
    if request.delay_s is not None:
        field, start_at = "delay_s", now + timedelta(seconds=request.delay_s)
    if start_at is None or start_at <= now:
        return None
    if start_at > now + MAX_DELAY:
        days = MAX_DELAY.days
        raise InvalidField(f"{field}: at most {days} days ahead", field=field, limit=days)
    return start_at.astimezone(now.tzinfo)
