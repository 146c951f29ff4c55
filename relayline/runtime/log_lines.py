"""How what a process logs reads: one line for each record, with all that the record was given."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

MAX_VALUE = 400
"""Letters of one field's value; what is longer is cut."""
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; all else is a field that its author has given."""
_SAID_ALREADY = ("_", "temporal_", "color_message")
"""How fields of Temporal's SDK and uvicorn begin, which have them in the text as well."""
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), 127)}


class LogLine(logging.Formatter):
    """`2026-01-31T12:00:00.000+00:00 INFO relayline.api.app: listening host=127.0.0.1 port=8000`.

    A value with spaces or quotes is quoted as in JSON. No text and no value makes a line of its
    own; only a traceback, where there is one, follows on lines of its own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        """All but the traceback."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        text = record.message.translate(_CONTROLS)
        fields = [
            f" {name}={_shown(value)}"
            for name, value in vars(record).items()
            if name not in _USUAL and not name.startswith(_SAID_ALREADY)
        ]
        return f"{at} {record.levelname} {record.name}: {text}{''.join(fields)}"


def _shown(value: object) -> str:
    text = str(value)
    if len(text) > MAX_VALUE:
        text = f"{text[:MAX_VALUE]}…"
    plain = text.isprintable() and not set(text) & {" ", '"', "\\"}
    return text if text and plain else json.dumps(text, ensure_ascii=not text.isprintable())
