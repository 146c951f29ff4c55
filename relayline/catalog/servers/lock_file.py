"""Reads and writes lock files of MCP servers' tools."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from relayline.contracts.mcp.lock import Lock

VERSION = 1
MAX_BYTES = 8 * 1024 * 1024


class BadLockFile(Exception):
    """A lock file can't be used; the message names it and says why."""


def read_lock(path: str) -> Lock:
    """The lock in that file.

    Raises:
        BadLockFile: there is none, or it is no lock of a version that is known here.
    """
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise BadLockFile(f"{path}: it is larger than {MAX_BYTES} bytes")
        lock = Lock.model_validate_json(Path(path).read_bytes())
    except FileNotFoundError:
        raise BadLockFile(f"{path}: there is no such file; `relayline mcp pin` makes it") from None
    except (OSError, ValidationError) as error:
        raise BadLockFile(f"{path}: it can't be read: {type(error).__name__}") from error
    if lock.version != VERSION:
        raise BadLockFile(f"{path}: version {lock.version} is not known here, but {VERSION}")
    return lock


def write_lock(path: str, lock: Lock) -> None:
    """Replace the file, at once.

    Raises:
        BadLockFile: it can't be written.
    """
    beside = Path(f"{path}.new")
    try:
        beside.write_text(lock.model_dump_json(indent=2) + "\n")
        os.replace(beside, path)
    except OSError as error:
        raise BadLockFile(f"{path}: it can't be written: {error.strerror}") from error
