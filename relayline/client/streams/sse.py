"""Server-Sent Events: bytes in, frames out. Source: the HTML standard, 9.2.6."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class SseFrame(NamedTuple):
    """One dispatched event."""

    id: str | None
    """The frame's own id; None where it has none."""
    event: str
    data: str


class SseParser:
    """Parses one connection's stream; make a new one for each connection.

    Lines end in LF, CR LF or CR and nowhere else: U+2028 and its like are ordinary characters in
    JSON. A frame that the connection's end cuts short is never given out.
    """

    def __init__(self) -> None:
        self.retry_ms: int | None = None
        """The newest reconnection time that the server gave."""
        self._rest = b""
        self._after_cr = False
        self._begun = False
        self._id: str | None = None
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[SseFrame]:
        """The frames that this chunk completes; consume all of them before the next chunk."""
        if not chunk:
            return
        ends_in_cr = chunk.endswith(b"\r")
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = ends_in_cr
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        for raw in lines:
            line = raw if self._begun else raw.removeprefix(_BOM)
            self._begun = True
            if line:
                self._field(line)
            elif frame := self._dispatch():
                yield frame

    def _field(self, line: bytes) -> None:
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "event":
                self._event = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry_ms = int(value)
            case _:
                return  # a comment, or a field that is not known

    def _dispatch(self) -> SseFrame | None:
        frame = SseFrame(self._id, self._event or "message", "\n".join(self._data))
        complete = bool(self._data)
        self._id, self._event, self._data = None, "", []
        return frame if complete else None
