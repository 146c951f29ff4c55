"""The options of `relayline dev`, and its error."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path


class DevError(Exception):
    """`relayline dev` can't start; the message names the cause and says what to do."""


@dataclass(frozen=True)
class Commands:
    """Command lines of the children. `-P` keeps a `worker.py` in the current folder out."""

    worker: tuple[str, ...] = (sys.executable, "-P", "-m", "relayline.worker")
    api: tuple[str, ...] = (sys.executable, "-P", "-m", "relayline.api.app")
    local_model: tuple[str, ...] = (sys.executable, "-P", "-m", "relayline.dev.local_model")
    codec: tuple[str, ...] = (sys.executable, "-P", "-m", "relayline", "codec-server")
    catalog: tuple[str, ...] = (sys.executable, "-P", "-m", "relayline.wiring")
    """Builds the catalog once and prints its files."""


@dataclass(frozen=True)
class DevOptions:
    """What `relayline dev` starts.

    A port of None means the usual one, or a free one if that is taken; 0 means a free one.
    """

    data_dir: Path = Path(".relayline")
    api_port: int | None = None
    temporal_port: int | None = None
    ui_port: int | None = None
    workers: int = 1
    local_model: bool = False
    catalog: str = ""
    """The user's module, empty for none; the children read it from the environment."""
    reload: bool = True
    """Whether the workers are started again when the catalog's files change."""
    own_key: Callable[[], Awaitable[None]] | None = None
    """Makes the API key of this `relayline dev`, in `data_dir`; None while keys are off."""
    encrypt: bool = False
    """Whether to make a key for what Temporal stores, if the folder has none."""
    keys_configured: bool = False
    """Whether the environment has keys for that."""
    commands: Commands = Commands()
