"""The type of a file by its first bytes, which count, and not what its sender calls it."""

from __future__ import annotations

import codecs
import re

from relayline.api.errors import InvalidField
from relayline.catalog.media import PDF, is_text

UNKNOWN, TEXT = "application/octet-stream", "text/plain"
SNIFFED = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/heif",
    "image/tiff",
    "image/bmp",
    PDF,
)
"""Types that their first bytes give away."""
HEAD_BYTES = 8192
"""So much of a file tells its type."""
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
    found, unclaimed = _sniffed(head), claim in _NO_CLAIM
    if (found in SNIFFED or claim in SNIFFED) and not unclaimed and claim != found:
        raise InvalidField(
            f"Content-Type: says {claim}, but the bytes are {found}",
            slug="file-type",
            field="Content-Type",
        )
    if unclaimed or found != TEXT:
        return found
    return claim if is_text(claim) else UNKNOWN


def _sniffed(head: bytes) -> str:
    """The type by the first bytes alone."""
    import puremagic  # noqa: PLC0415  its tables take a while to load, and few processes need them

    try:
        kinds = {match.mime_type for match in puremagic.magic_string(head[:HEAD_BYTES])}
    except (puremagic.PureError, ValueError):
        kinds = set()
    found = next((kind for kind in SNIFFED if kind in kinds), None)
    return found or (TEXT if _is_utf8(head[:HEAD_BYTES]) else UNKNOWN)


def _is_utf8(head: bytes) -> bool:
    """True for text; a character may be cut off at the end."""
    if b"\0" in head:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
