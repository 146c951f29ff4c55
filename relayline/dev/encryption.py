"""The key of `relayline dev --encrypt`: made once, kept in the data folder."""

from __future__ import annotations

from collections.abc import Mapping

from relayline.dev.options import DevError, DevOptions
from relayline.runtime.payloads.ring import new_key
from relayline.runtime.secret import write_private

KEYS_FILE = "payload-keys"


def encryption_of(options: DevOptions) -> tuple[bool, Mapping[str, str]]:
    """Whether payloads are encrypted, and what tells the children of the keys.

    A folder that has been encrypted once stays so: without its key nobody could read its runs.
    Keys in the environment come first; then none is made.

    Raises:
        DevError: the file can't be written.
    """
    if options.keys_configured:
        return True, {}
    file = options.data_dir / KEYS_FILE
    if not file.exists():
        if not options.encrypt:
            return False, {}
        try:
            write_private(file, new_key().entry())
        except OSError as error:
            raise DevError(f"{file} can't be written: {error.strerror}") from error
    return True, {"RELAYLINE_PAYLOAD_KEYS_FILE": str(file.absolute())}
