"""The API key of `relayline dev`: in a file of its data folder, for this user's commands."""

from __future__ import annotations

from pathlib import Path

from relayline.contracts.principals import Scope
from relayline.contracts.runs import DEFAULT_TENANT
from relayline.dev.options import DevError
from relayline.journal.access.issuing import KeyIssuer, KeyRequest
from relayline.runtime.secret import write_private

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
    issued = await issuer.issue(asked, _NAME)
    try:
        write_private(path, issued.text)
    except OSError as error:
        raise DevError(f"{path} can't be written: {error.strerror}") from error
