"""What the first bytes of a file say of its type."""

from __future__ import annotations

import codecs

UNKNOWN, TEXT = "application/octet-stream", "text/plain"
SNIFFED = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/heif",
    "image/tiff",
    "image/bmp",
    "application/pdf",
)
"""Types that their first bytes give away."""
HEAD_BYTES = 8192
"""So much of a file tells its type."""


def sniffed(head: bytes) -> str:
    """The MIME type of a file that begins so: one of `SNIFFED`, text, or unknown."""
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
