"""Notes of when something happened, left as small files by any process of this machine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

POLL_S = 0.005
WITHIN_S = 60.0


def leave(name: str, what: str) -> None:
    """Note that it happens now; the shell's `date +%s%N > NAME.WHAT` does the same."""
    Path(f"{name}.{what}").write_text(f"{time.time_ns()}\n")


def find(name: str, what: str) -> float | None:
    """When it happened, seconds since 1970; None while there is no whole note."""
    try:
        text = Path(f"{name}.{what}").read_text()
    except FileNotFoundError:
        return None
    return int(text) / 1e9 if text.endswith("\n") else None


async def wait(name: str, what: str, within_s: float = WITHIN_S) -> float:
    """Wait for the note; when it happened, seconds since 1970.

    Raises:
        TimeoutError: there was none in time.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if (at := find(name, what)) is not None:
            return at
        await asyncio.sleep(POLL_S)
    raise TimeoutError(f"{Path(name).name} was not {what} within {within_s:g} s")
