"""Server-sent events as providers really send them: bytes to events. Pure, and never quadratic."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Limit for one event, and for a line of it."""

ENDS = ("done", "end")
"""Events that end an answer on some servers, with or without data."""
_END = re.compile(rb"[\r\n]")
_BOM = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One event that has data, or whose name says enough."""

    name: str
    """The field `event`, empty if there is none."""
    data: str


class TooLong(Exception):
    """An event exceeds the limit."""


class Frames:
    """Decodes a stream of server-sent events, however its bytes are split.

    As the standard says (HTML, 9.2.6), but more patient: a byte order mark or NUL may stand before
    any line, a broken byte becomes U+FFFD, a line that begins with `{` or `[` is an event of its
    own, so is one of data that looks whole when the next begins, `data:` may be said twice, and the
    end of the stream ends the last event. Comments, and events without data, are skipped.
    """

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._line = bytearray()
        self._after_cr = False
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The events that end in this chunk.

        Raises:
            TooLong: an event exceeds the limit.
        """
        start = 0
        for found in _END.finditer(chunk):
            at = found.start()
            if self._after_cr and at == start and chunk[at] == 0x0A:
                self._after_cr, start = False, at + 1
                continue
            self._line += chunk[start:at]
            self._after_cr, start = chunk[at] == 0x0D, at + 1
            yield from self._end_line()
        if start < len(chunk):
            self._after_cr = False
            self._line += chunk[start:]
            self._check()

    def end(self) -> Iterator[Frame]:
        """What the end of the stream completes."""
        yield from self._end_line()
        yield from self._dispatch()

    def _end_line(self) -> Iterator[Frame]:
        self._check()
        line = as_text(bytes(self._line).lstrip(b"\0").removeprefix(_BOM))
        self._line.clear()
        if not line.strip():
            yield from self._dispatch()
            return
        if line[0] in "{[" and not self._data:
            yield Frame(self._name, line)
            return
        field, _, value = line.partition(":")
        self._size += len(line)
        match field.strip():
            case "data":
                if len(self._data) == 1 and _looks_whole(self._data[0]):
                    yield from self._dispatch()  # some servers leave out the blank lines
                self._data.append(_once(value.removeprefix(" ")))
            case "event":
                self._name = value.strip()

    def _dispatch(self) -> Iterator[Frame]:
        frame = Frame(self._name, "\n".join(self._data))
        self._name, self._data, self._size = "", [], 0
        if frame.data.strip() or frame.name in ("error", *ENDS):
            yield frame

    def _check(self) -> None:
        if self._size + len(self._line) > self._max_bytes:
            raise TooLong(f"an event is longer than {self._max_bytes:,} bytes")


def as_text(data: bytes) -> str:
    """The text; surrogates that were encoded one by one stay as they are, to be joined later."""
    return data.decode("utf-8", _PATIENT)


def _once(value: str) -> str:
    """The data without `data:`, which some proxies put before an event that has it."""
    return value.removeprefix("data:").removeprefix(" ") if value.startswith("data:") else value


def _looks_whole(data: str) -> bool:
    """True for what may be one JSON object; a first line of several seldom ends so."""
    return data.startswith("{") and data.rstrip().endswith("}")


def _patient(error: UnicodeError) -> tuple[str, int]:
    """A surrogate that was encoded alone, else U+FFFD for each broken byte."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    start = error.start
    found = error.object[start : start + 3]
    if len(found) == 3 and found[0] == 0xED and 0xA0 <= found[1] <= 0xBF:
        with suppress(UnicodeDecodeError):
            return found.decode("utf-8", "surrogatepass"), start + 3
    return "\ufffd", error.end


_PATIENT = "relayline.patient"
codecs.register_error(_PATIENT, _patient)
