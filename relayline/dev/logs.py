"""Bounds the logs of `relayline dev`: of each, three files of about 10 MB are kept."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

MAX_BYTES = 10_000_000
OLDER = 2
"""Older files of each log: `NAME.log.1`, and `NAME.log.2` from before that."""
LOOK_S = 5.0


async def rotate_logs(
    folder: Path, report: Callable[[str], None], *, look_s: float = LOOK_S
) -> None:
    """Rotate the folder's logs as they grow, until cancelled; reports a failure once."""
    failed = False
    while True:
        await asyncio.sleep(look_s)
        try:
            await asyncio.to_thread(rotate, folder)
        except OSError as error:
            if not failed:
                report(f"logs in {folder} can't be rotated: {error.strerror}")
            failed = True


def rotate(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Rotate each log of more than `max_bytes`.

    The process that writes a log keeps it open for appending, so its text is copied and the file is
    emptied. Lines written in the milliseconds between the two are lost.

    Raises:
        OSError: a file can't be written.
    """
    for log in folder.glob("*.log"):
        size = log.stat().st_size
        if size <= max_bytes:
            continue
        older = [log.with_name(f"{log.name}.{number}") for number in range(1, OLDER + 1)]
        for newer, old in zip(older[-2::-1], older[:0:-1], strict=True):
            if newer.exists():
                newer.replace(old)
        with log.open("r+b") as full, older[0].open("wb") as copy:
            full.seek(max(0, size - max_bytes))
            shutil.copyfileobj(full, copy)
            full.truncate(0)
