"""Moves work on large data to a thread, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import JsonValue

T = TypeVar("T")

_MUCH = 1000
"""JSON values; work takes up to 30 µs for each."""
_VALUE_CHARS = 64
"""Characters of text that count as one more value."""


async def in_thread(work: Callable[[], T], data: Iterable[JsonValue]) -> T:
    """Run `work`, in a thread if `data` is large; returns or raises what it does.

    All calls of a worker send heartbeats from one event loop, so work that blocks it for seconds
    would cost each of them its attempt. For small data, starting a thread takes longer than the
    work.

    Args:
        work: If it runs in a thread, it runs to its end even if this call is cancelled.
        data: Everything that `work` reads.
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
