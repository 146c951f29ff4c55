"""People are told in the same words everywhere how something ended."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Literal

import pytest

from relayline.projections.words import How, closed, outcome, refused

AT = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("how", "by", "words"),
    [
        ("approve", "ann", "a1 was approved by ann at 2026-03-01T12:00:00Z"),
        ("deny", "", "a1 was denied at 2026-03-01T12:00:00Z"),
        ("answered", "ann", "a1 was answered by ann at 2026-03-01T12:00:00Z"),
        ("expired", "", "a1 has expired at 2026-03-01T12:00:00Z"),
        ("withdrawn", "bob", "a1 was withdrawn by bob at 2026-03-01T12:00:00Z"),
    ],
)
def test_what_is_closed_says_how_by_whom_and_when(how: How, by: str, words: str) -> None:
    assert closed("a1", how, by, AT) == words


@pytest.mark.parametrize(
    ("kind", "how", "words"),
    [
        ("approval", "approve", "approved"),
        ("approval", "expired", "expired, nobody decided"),
        ("input", "expired", "expired, nobody answered"),
        ("input", "shelved", "shelved"),
    ],
)
def test_an_outcome_is_a_word_or_two(
    kind: Literal["approval", "input"], how: str, words: str
) -> None:
    assert outcome(kind, how) == words


def test_a_fraction_of_a_second_is_told_where_there_is_one() -> None:
    assert closed("a1", "expired", "", AT.replace(microsecond=5)) == (
        "a1 has expired at 2026-03-01T12:00:00.000005Z"
    )


def test_a_command_that_was_refused_says_why() -> None:
    assert refused("pause", "already paused") == "pause was refused: already paused"
