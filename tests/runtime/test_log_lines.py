"""What is logged is one line that has all that was given."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from relayline.runtime.log_lines import MAX_VALUE, LogLine


def line(text: str, **fields: object) -> str:
    record = logging.makeLogRecord(
        {"name": "relayline.api.app", "levelname": "INFO", "msg": text, "created": 1.5, **fields}
    )
    at, said = LogLine().format(record).split(" ", 1)
    assert datetime.fromisoformat(at) == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    return said


def test_a_record_has_its_time_in_utc_and_its_fields() -> None:
    said = line("listening", host="127.0.0.1", port=8000, reason="")
    assert said == 'INFO relayline.api.app: listening host=127.0.0.1 port=8000 reason=""'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("no answer", '"no answer"'),
        ('says "no"', r'"says \"no\""'),
        ("one\ntwo=2", r'"one\ntwo=2"'),
        ("größer", "größer"),
        ("\x1b[31m\u2028", r'"\u001b[31m\u2028"'),
    ],
)
def test_a_value_is_one_word_or_quoted(value: str, shown: str) -> None:
    assert line("said", reason=value) == f"INFO relayline.api.app: said reason={shown}"


def test_no_text_makes_a_second_line_and_no_value_a_long_one() -> None:
    said = line("one\r\ntwo\x1b", reason="x" * 10 * MAX_VALUE)
    assert said == rf"INFO relayline.api.app: one\r\ntwo\x1b reason={'x' * MAX_VALUE}…"


def test_what_libraries_say_in_their_text_is_not_said_twice() -> None:
    said = line("failed ({'run': 1})", temporal_activity={"run": 1}, color_message="failed %d")
    assert said == "INFO relayline.api.app: failed ({'run': 1})"


def test_a_traceback_follows() -> None:
    try:
        int("none")
    except ValueError as error:
        first, *more = line("broken", exc_info=(type(error), error, None), path="/x").splitlines()
    assert first == "INFO relayline.api.app: broken path=/x"
    assert more[-1].startswith("ValueError: ")
