"""The API key of `relayline dev`: in a file of its data folder, for this user's commands."""

from __future__ import annotations

import os
from pathlib import Path

from relayline.contracts.principals import Scope
from relayline.contracts.runs import DEFAULT_TENANT
from relayline.dev.options import DevError
from relayline.journal.access.issuing import KeyIssuer, KeyRequest

OWN_KEY_FILE = "api-key"
"""In the data folder, mode 600."""
_NAME = "relayline dev"


async def ensure_own_key(data_dir: Path, issuer: KeyIssuer) -> None:
    """Make a key that may do everything, unless the file has one that still holds.

    Raises:
        DevError: the file can't be written.
        JournalUnavailable: the journal does not answer.
    """
    path = data_dir / OWN_KEY_FILE
    if path.exists() and await issuer.holds(path.read_text().strip()):
        return
    asked = KeyRequest(DEFAULT_TENANT, _NAME, frozenset(Scope))
    write_private(path, (await issuer.issue(asked, _NAME)).text)


def write_private(path: Path, text: str) -> None:
    """Write the file for this user alone, whole or not at all.

    Raises:
        DevError: it can't be written.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
        fresh.replace(path)
    except OSError as error:
        raise DevError(f"{path} can't be written: {error.strerror}") from error
