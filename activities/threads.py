"""What takes long for much data, done where it holds up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import JsonValue

T = TypeVar("T")

_MUCH = 1000
"""Values of JSON; looking at each takes up to 30 µs."""
_VALUE_CHARS = 64
"""So many characters of text count as a value, too."""


async def in_thread(work: Callable[[], T], data: Iterable[JsonValue]) -> T:
    """What `work` returns or raises, in a thread if it has much data to look at.

    All calls of a worker send their heartbeats from one event loop: whatever holds that up for
    seconds costs every one of them its attempt. A thread takes turns with it. For little data a
    thread would take longer than the work.

    Args:
        work: What to do; it may run in a thread, to its end even if this is cancelled.
        data: All that it looks at.
    """
    return await asyncio.to_thread(work) if _much(data) else work()


def _much(data: Iterable[JsonValue]) -> bool:
    room, waiting = _MUCH, list(data)
    while waiting and room > 0:
        value = waiting.pop()
        room -= 1
        if isinstance(value, str):
            room -= len(value) // _VALUE_CHARS
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value
            waiting += value.values()
    return room <= 0
