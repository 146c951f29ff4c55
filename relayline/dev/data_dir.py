"""The data folder of `relayline dev`: held by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from relayline.dev.options import DevError


@contextlib.contextmanager
def private_files() -> Iterator[int]:
    """Files that this process makes are for its user alone; yields the umask of before."""
    before = os.umask(0o077)
    try:
        yield before
    finally:
        os.umask(before)


@contextlib.contextmanager
def hold(data_dir: Path) -> Iterator[None]:
    """Hold the folder for this process alone; creates it and its `logs/` if they are missing.

    Both are for this user alone, unless the folder has the current one in it.

    The system releases it, too, however the process ends.

    Raises:
        DevError: the folder can't be written, or another `relayline dev` holds it.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data_dir / "logs").mkdir(mode=0o700, exist_ok=True)
        for folder in (data_dir, data_dir / "logs"):
            if not Path.cwd().is_relative_to(folder.resolve()):
                folder.chmod(0o700)
            with tempfile.TemporaryFile(dir=folder):
                pass
        lock = (data_dir / "dev.lock").open("w")
    except OSError as error:
        raise DevError(
            f"the data folder {data_dir} can't be written ({error.strerror}): "
            "make it writable, or choose another with --data-dir"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DevError(
                f"another `relayline dev` uses {data_dir}: stop it, or choose another --data-dir"
            ) from error
        yield
