"""The data folder of `relayline dev`: held by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

from relayline.dev.options import DevError


@contextlib.contextmanager
def hold(data_dir: Path) -> Iterator[None]:
    """Hold the folder for this process alone; creates it and its `logs/` if they are missing.

    The system releases it, too, however the process ends.

    Raises:
        DevError: the folder can't be written, or another `relayline dev` holds it.
    """
    try:
        (data_dir / "logs").mkdir(parents=True, exist_ok=True)
        for folder in (data_dir, data_dir / "logs"):
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
