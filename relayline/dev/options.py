"""What `relayline dev` is asked for, and the error of one that can't start."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


class DevError(Exception):
    """`relayline dev` can't start; the message names the thing and says what to do."""


@dataclass(frozen=True)
class Commands:
    """What the children run. `-P`: a `worker.py` in the current directory is not ours."""

    worker: tuple[str, ...] = (sys.executable, "-P", "-m", "relayline.worker")
    api: tuple[str, ...] = (sys.executable, "-P", "-m", "relayline.api.app")
    local_model: tuple[str, ...] = (sys.executable, "-P", "-m", "relayline.dev.local_model")


@dataclass(frozen=True)
class DevOptions:
    """What `relayline dev` was asked for.

    A port of None takes the usual one, or a free one where that is taken; 0 takes a free one.
    """

    data_dir: Path = Path(".relayline")
    api_port: int | None = None
    temporal_port: int | None = None
    ui_port: int | None = None
    workers: int = 1
    local_model: bool = False
    commands: Commands = Commands()
