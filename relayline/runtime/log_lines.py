"""The format of logs: one line per record, with all fields of the record."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

MAX_VALUE = 400
"""Characters of one field's value; longer values are cut."""
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes of every record; any other attribute is a field of this one."""
_IN_TEXT = ("_", "temporal_", "color_message")
"""Prefixes of fields that Temporal's SDK and uvicorn repeat in the text."""
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), 127)}


class LogLine(logging.Formatter):
    """`2026-01-31T12:00:00.000+00:00 INFO relayline.api.app: listening host=127.0.0.1 port=8000`.

    A value with spaces or quotes is quoted as in JSON. Line breaks in texts and values are escaped;
    only a traceback adds lines, after the record's own.
    """

    clean: Callable[[str], str] = staticmethod(str)
    """Cuts secrets out of a record, its traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback if there is one."""
        return self.clean(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name is logging's
        """The line without the traceback."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        text = record.message.translate(_CONTROLS)
        fields = [
            f" {name}={_shown(value)}"
            for name, value in vars(record).items()
            if name not in _USUAL and not name.startswith(_IN_TEXT)
        ]
        return f"{at} {record.levelname} {record.name}: {text}{''.join(fields)}"


def _shown(value: object) -> str:
    text = str(value)
    if len(text) > MAX_VALUE:
        text = f"{text[:MAX_VALUE]}…"
    plain = text.isprintable() and not set(text) & {" ", '"', "\\"}
    return text if text and plain else json.dumps(text, ensure_ascii=not text.isprintable())
