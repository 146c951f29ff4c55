"""The settings of encryption, a part of `Settings`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from relayline.runtime.payloads.ring import BadKeys, ListedKeys


class PayloadKeySettings(BaseSettings):
    """Which keys encrypt what Temporal stores, and wrap the keys of tenants."""

    payload_keys: str = Field(default="", repr=False)
    """Keys that encrypt what Temporal stores, and the keys of tenants in the journal, `ID:KEY`
    each, separated by commas: the first one encrypts, all decrypt; empty encrypts nothing.
    `relayline keyring new` makes one. All processes of a deployment need the same keys."""
    payload_keys_file: str = ""
    """File with these keys instead, one a line."""

    @field_validator("payload_keys")
    @classmethod
    def _check_keys(cls, text: str) -> str:
        ListedKeys.parse(text)
        return text

    def keyring(self) -> ListedKeys:
        """The keys; reads the file.

        Raises:
            BadKeys: the file can't be read or used, or both settings are set; the message names the
                setting and has no key.
        """
        if not self.payload_keys_file:
            return ListedKeys.parse(self.payload_keys)
        name = "RELAYLINE_PAYLOAD_KEYS_FILE"
        if self.payload_keys:
            raise BadKeys(f"{name} and RELAYLINE_PAYLOAD_KEYS are both set: unset one")
        return read_keys(Path(self.payload_keys_file), name)


def read_keys(path: Path, name: str) -> ListedKeys:
    """The keys in a file.

    Args:
        path: The file.
        name: What error messages call it.

    Raises:
        BadKeys: the file can't be read, has no key, or one that can't be used.
    """
    try:
        ring = ListedKeys.parse(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadKeys(f"{name} is {str(path)!r}, which can't be read: {said}") from None
    except BadKeys as error:
        raise BadKeys(f"{name} is {str(path)!r}: {error}") from None
    if not ring.ids:
        raise BadKeys(f"{name} is {str(path)!r}, which has no key")
    return ring
