"""Tells a stream of events from another body by its beginning: content types lie. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""Limit for a body that is no stream of events."""
_PAGE_CHARS = 16 * 1024
_SHOWN_CHARS = 500
_BLANK = b"\xef\xbb\xbf \t\r\n\0"
_FIELD = re.compile(rb"(?:data|event|id|retry)[ \t]*(?:[:\r\n]|$)|:")
_ENOUGH = 16


class Opening:
    """Holds back the first bytes of a body until it is clear what it is."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._events: bool | None = None

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that belong to a stream of events; those of another body are kept."""
        if self._events:
            return chunk
        self._body += chunk
        if self._events is None:
            self._body = self._body.lstrip(_BLANK)
            if len(self._body) >= _ENOUGH or b"\n" in self._body:
                self._events = bool(_FIELD.match(self._body))
        del self._body[MAX_DOCUMENT_BYTES:]
        return self.rest() if self._events else b""

    def rest(self) -> bytes:
        """The bytes that were held back, of a stream of events."""
        given, self._body = bytes(self._body), bytearray()
        return given

    def document(self) -> bytes:
        """At the end: the whole body if it is no stream of events, and not blank."""
        if self._events is None:
            self._events = bool(_FIELD.match(self._body))
        return b"" if self._events else self.rest()


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002  as the base class
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()


def words_in(text: str) -> str:
    """The text of a page, or plain text, on one line; at most 500 characters."""
    parser = _Words()
    parser.feed(text[:_PAGE_CHARS])
    return " ".join(parser.words)[:_SHOWN_CHARS]
