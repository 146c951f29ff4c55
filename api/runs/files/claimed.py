"""The type of a file by its first bytes, which count, and not what its sender calls it."""

from __future__ import annotations

import re

from relayline.api.errors import InvalidField
from relayline.catalog.media import is_text
from relayline.journal.files.file_types import SNIFFED, TEXT, UNKNOWN, sniffed

_NO_CLAIM = frozenset({"", UNKNOWN, "application/x-www-form-urlencoded"})
"""What clients send that do not know; the last is curl's for whatever it posts."""
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


def type_of(head: bytes, claimed: str) -> str:
    """The MIME type of a file that begins so.

    Args:
        head: Its first bytes, at least `HEAD_BYTES` if there are so many.
        claimed: The `Content-Type` that it came with.

    Raises:
        InvalidField: it claims to be something else than its bytes say.
    """
    claim = claimed.partition(";")[0].strip().lower()
    if claim and not _TYPE.fullmatch(claim):
        raise InvalidField("Content-Type: is no MIME type", field="Content-Type")
    found, unclaimed = sniffed(head), claim in _NO_CLAIM
    if (found in SNIFFED or claim in SNIFFED) and not unclaimed and claim != found:
        raise InvalidField(
            f"Content-Type: says {claim}, but the bytes are {found}",
            slug="file-type",
            field="Content-Type",
        )
    if unclaimed or found != TEXT:
        return found
    return claim if is_text(claim) else UNKNOWN
