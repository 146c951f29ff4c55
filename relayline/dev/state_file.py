"""Where a running `relayline dev` is reached: `{data-dir}/dev.json`."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from pydantic import ValidationError

from relayline.contracts.frozen import Frozen

DEV_FILE = "dev.json"


class ApiState(Frozen):
    """The API's process."""

    url: str
    pid: int | None = None


class TemporalState(Frozen):
    """The Temporal server."""

    address: str
    ui: str = ""
    """Empty if Temporal is not ours and `RELAYLINE_TEMPORAL_UI` is not set."""
    pid: int | None = None
    """None if Temporal is not ours."""


class WorkerState(Frozen):
    """One worker's process."""

    pid: int | None = None


class DevState(Frozen):
    """Where everything runs: the content of the file."""

    api: ApiState
    temporal: TemporalState
    workers: tuple[WorkerState, ...] = ()
    codec: str = ""
    """URL of the codec server; empty where nothing is encrypted."""

    @property
    def page(self) -> str:
        """The address for people."""
        return f"{self.api.url}/"

    def greeting(self) -> str:
        """A few lines for people, once everything answers."""
        url, temporal = self.api.url, self.temporal
        ui = f", Web UI {temporal.ui}" if temporal.ui else " (as configured)"
        codec = f"Encrypted; {self.codec} decrypts for the Web UI\n" if self.codec else ""
        return (
            f"Page      {self.page}\n"
            f"API       {url} (documentation: {url}/docs)\n"
            f"Temporal  {temporal.address}{ui}\n"
            f"{codec}"
            f'Try: {_command()} run "What is 6*7? See README.md" --watch\n'
            "Ctrl-C stops everything."
        )

    def write(self, data_dir: Path) -> None:
        """Replace the file in one step.

        Raises:
            OSError: it can't be written.
        """
        fresh = (data_dir / DEV_FILE).with_suffix(".new")
        fresh.write_text(self.model_dump_json() + "\n")
        fresh.replace(data_dir / DEV_FILE)


def running_dev(data_dir: Path) -> DevState | None:
    """Where the `relayline dev` with that data folder is; None if none runs."""
    try:
        return DevState.model_validate_json((data_dir / DEV_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def _command() -> str:
    """How a shell calls `relayline`: by its path where it is not in `PATH`."""
    beside = Path(sys.executable).with_name("relayline")
    if shutil.which("relayline") or not beside.exists():
        return "relayline"
    return shlex.quote(str(beside))
