"""What `relayline dev` is asked for, and what it says of itself."""

from __future__ import annotations

import json
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


@dataclass(frozen=True)
class DevState:
    """Where everything is: the content of `dev.json`."""

    api_url: str
    api_pid: int | None
    temporal_address: str
    temporal_ui: str
    """Empty when the Temporal is not ours and `RELAYLINE_TEMPORAL_UI` does not say."""
    temporal_pid: int | None
    """None when the Temporal is not ours."""
    worker_pids: tuple[int | None, ...]

    def greeting(self) -> str:
        """What people are told once everything answers; a few lines."""
        ui = f", Web UI {self.temporal_ui}" if self.temporal_ui else " (as configured)"
        return (
            f"API       {self.api_url} (its pages: {self.api_url}/docs)\n"
            f"Temporal  {self.temporal_address}{ui}\n"
            'Try: relayline run "What is 6*7? See README.md" --watch\n'
            "Ctrl-C stops everything."
        )

    def to_json(self) -> str:
        """`{"api": {url, pid}, "temporal": {address, ui, pid}, "workers": [{pid}]}`."""
        return json.dumps(
            {
                "api": {"url": self.api_url, "pid": self.api_pid},
                "temporal": {
                    "address": self.temporal_address,
                    "ui": self.temporal_ui,
                    "pid": self.temporal_pid,
                },
                "workers": [{"pid": pid} for pid in self.worker_pids],
            }
        )
