"""A cursor is one of its list, its tenant and its filter, and nobody changes it."""

from __future__ import annotations

import base64
import re
import string
from datetime import UTC, datetime

import pytest

from relayline.api.errors import BadRequest
from relayline.api.runs.inbox import InboxFilter
from relayline.api.signing.cursors import Cursors, ListOf
from relayline.contracts.runs import RunStatus
from relayline.journal.table import EVERY, RunFilter

OLD, NEW = b"o" * 32, b"n" * 32
PATTERN = re.compile(r"(\d+)\|([a-z0-9_]+)")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WANTED = RunFilter(
    statuses=frozenset({RunStatus.RUNNING, RunStatus.PAUSED}),
    metadata={"b": "2", "a": "1"},
    words=("x", "y"),
    created_after=NOON,
)
OF = ListOf("runs", "blue", WANTED)
ALPHABET = string.ascii_letters + string.digits + "-_=|"


def refused(cursors: Cursors, of: ListOf, cursor: str) -> bool:
    try:
        cursors.decode(of, cursor, PATTERN)
    except BadRequest as error:
        return (error.type, error.members["field"]) == ("invalid-cursor", "cursor")
    return False


def test_a_cursor_is_taken_by_its_own_list() -> None:
    cursors = Cursors([OLD])
    cursor = cursors.encode(OF, 12, "run_1")
    assert cursors.decode(OF, cursor, PATTERN) == ("12", "run_1")
    same = RunFilter(
        statuses=frozenset({RunStatus.PAUSED, RunStatus.RUNNING}),
        metadata={"a": "1", "b": "2"},
        words=("x", "y"),
        created_after=NOON,
    )
    assert cursors.decode(OF._replace(wanted=same), cursor, PATTERN) == ("12", "run_1")


@pytest.mark.parametrize(
    "of",
    [
        OF._replace(name="inbox"),
        OF._replace(tenant="red"),
        OF._replace(tenant=EVERY),
        OF._replace(wanted=RunFilter()),
        OF._replace(wanted=RunFilter(open=False)),
        OF._replace(wanted=InboxFilter()),
        OF._replace(wanted=None),
        OF._replace(wanted=("wh_1", None, None)),
    ],
)
def test_a_cursor_is_refused_by_any_other_list_tenant_or_filter(of: ListOf) -> None:
    cursors = Cursors([OLD])
    assert refused(cursors, of, cursors.encode(OF, 12, "run_1"))
    assert refused(cursors, OF, cursors.encode(of, 12, "run_1"))


def test_filters_that_differ_in_one_value_have_cursors_of_their_own() -> None:
    cursors = Cursors([OLD])
    filters = [
        RunFilter(),
        RunFilter(open=True),
        RunFilter(open=False),
        RunFilter(agent="a"),
        RunFilter(model="a"),
        RunFilter(metadata={"a": "b"}),
        RunFilter(metadata={"b": "a"}),
        RunFilter(words=("a", "b")),
        RunFilter(words=("ab",)),
        RunFilter(created_after=NOON),
        RunFilter(created_before=NOON),
        RunFilter(statuses=frozenset({RunStatus.PAUSED})),
    ]
    lists = [OF._replace(wanted=it) for it in filters]
    made = {of: cursors.encode(lists[of], 1, "run_1") for of in range(len(lists))}
    taken = [
        (one, other)
        for one, of in enumerate(lists)
        for other, cursor in made.items()
        if not refused(cursors, of, cursor)
    ]
    assert taken == [(each, each) for each in made]


def test_a_cursor_with_a_changed_letter_is_refused() -> None:
    cursors = Cursors([OLD])
    for place in ((12, "run_1"), (123, "run_1"), (1234, "run_1")):  # each ends another way
        cursor = cursors.encode(OF, *place)
        for at in range(len(cursor)):
            for letter in ALPHABET:
                altered = cursor[:at] + letter + cursor[at + 1 :]
                assert altered == cursor or refused(cursors, OF, altered), altered
        for altered in (cursor[:-1], cursor[1:], f"{cursor}=", cursor.rstrip("="), f" {cursor}"):
            assert altered == cursor or refused(cursors, OF, altered), altered


def test_unsigned_and_foreign_cursors_are_refused() -> None:
    unsigned = base64.urlsafe_b64encode(b"12|run_1").decode()
    assert refused(Cursors([OLD]), OF, unsigned)
    assert refused(Cursors([OLD]), OF, Cursors([NEW]).encode(OF, 12, "run_1"))
    for cursor in ("", "=", "é", "\ud800"):
        assert refused(Cursors([OLD]), OF, cursor)
        assert refused(Cursors(), OF, cursor)


def test_every_listed_secret_is_accepted() -> None:
    both = Cursors([NEW, OLD])
    assert both.decode(OF, Cursors([OLD]).encode(OF, 12, "run_1"), PATTERN)
    assert both.encode(OF, 12, "run_1") == Cursors([NEW]).encode(OF, 12, "run_1")


def test_without_a_secret_a_cursor_is_the_place_alone() -> None:
    cursor = Cursors().encode(OF, 12, "run_1")
    assert cursor == base64.urlsafe_b64encode(b"12|run_1").decode()
    assert Cursors().decode(OF._replace(tenant=EVERY), cursor, PATTERN) == ("12", "run_1")
