"""What a running `relayline dev` says about itself: `{data-dir}/dev.json`."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from relayline.contracts.frozen import Frozen

DEV_FILE = "dev.json"


class _Api(Frozen):
    url: str


class _Temporal(Frozen):
    address: str


class DevFile(Frozen):
    """The part of the file that clients need."""

    api: _Api
    temporal: _Temporal


def running_dev(data_dir: Path) -> DevFile | None:
    """Where the dev stack with that data folder is; None if none runs there."""
    try:
        return DevFile.model_validate_json((data_dir / DEV_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
