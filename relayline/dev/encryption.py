"""The key of `relayline dev --encrypt`: made once, kept in the data folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from relayline.dev.options import DevError, DevOptions
from relayline.runtime.payloads.ring import new_key

KEYS_FILE = "payload-keys"


def encryption_of(options: DevOptions) -> tuple[bool, Mapping[str, str]]:
    """Whether payloads are encrypted, and what tells the children of the keys.

    A folder that has been encrypted once stays so: without its key nobody could read its runs.
    Keys in the environment come first; then none is made.

    Raises:
        DevError: the file can't be written.
    """
    if options.keys_configured:
        return True, {}
    file = options.data_dir / KEYS_FILE
    if not file.exists():
        if not options.encrypt:
            return False, {}
        _make(file)
    return True, {"RELAYLINE_PAYLOAD_KEYS_FILE": str(file.absolute())}


def _make(file: Path) -> None:
    """Write a new key, for this user alone, and see to it that it is on the disk before its use."""
    fresh = file.with_suffix(".new")
    try:
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
            out.write(new_key().entry() + "\n")
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError as error:
        raise DevError(f"{file} can't be written: {error.strerror}") from error
