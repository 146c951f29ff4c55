"""Cursors of pages: the parts of a place as one opaque text."""

from __future__ import annotations

import base64
import binascii
import re

from relayline.api.errors import BadRequest


def encode_cursor(*parts: object) -> str:
    """The parts of a place as one text."""
    return base64.urlsafe_b64encode("|".join(map(str, parts)).encode()).decode()


def decode_cursor(cursor: str, pattern: re.Pattern[str], of: str) -> tuple[str, ...]:
    """The parts of a cursor: the groups of the pattern.

    Args:
        cursor: As the client gave it.
        pattern: What the text in it must be.
        of: What it must be a cursor of, for the error.

    Raises:
        BadRequest: it is not a cursor of that.
    """
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        text = ""
    if not (parts := pattern.fullmatch(text)):
        raise BadRequest(f"cursor: not a cursor of {of}", slug="invalid-cursor", field="cursor")
    return parts.groups()
