"""What the runs table stores of a row in columns of their own, to find it by. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from relayline.contracts.envelope import StoredEvent, microseconds
from relayline.contracts.runs import TERMINAL, RunStatus
from relayline.projections.row import ROW_TYPES, RunRow, load_row, row_of
from relayline.projections.valid import REWOUND

MAX_KEY_BYTES = 512
"""A longer text is found by its digest: an index entry of Postgres has 2,704 bytes at most."""
MAX_WORD_CHARS = 64
"""A longer word is found by its beginning."""
OPEN = frozenset(RunStatus) - TERMINAL
_WORD = re.compile(r"\w+")


class RowColumns(NamedTuple):
    """The columns of a row that filters and the order use."""

    created_us: int
    """Microseconds since 1970, UTC."""
    tenant: str
    status: str
    agent: str | None
    model: str | None
    batch: str | None
    parent: str | None
    forked_from: str | None


class Entry(NamedTuple):
    """What the tables of labels and words have of a run, and what a change of it changes."""

    labels: tuple[tuple[str, str], ...]
    """Metadata as key and value."""
    words: tuple[str, ...]
    """The words of title, id and metadata values, each once."""

    @property
    def text(self) -> str:
        """The words in one line, each after a blank."""
        return "".join(f" {word}" for word in self.words)


class Folded(NamedTuple):
    """A stored row and the same row after further facts."""

    before: RunRow | None
    """None: the run had no row."""
    row: RunRow

    @property
    def moved(self) -> bool:
        """True if all columns, labels and words must be written again; rare but for a new row."""
        return self.before is None or _given(self.before) != _given(self.row)

    @property
    def switched(self) -> bool:
        """True if the status is another."""
        return self.before is None or self.before.status is not self.row.status


def folded(
    state: str | None, fresh: Sequence[StoredEvent], all_facts: Sequence[StoredEvent] | None
) -> Folded | None:
    """The row with the facts that are not yet in it; None if no fact makes a row.

    Args:
        state: The stored row, None if there is none.
        fresh: The facts of `ROW_TYPES` after those that are in the row, in order.
        all_facts: All facts of the run, which a reset needs; None where they can't be had, because
            some were swept.
    """
    before = load_row(state) if state is not None else None
    if all_facts is not None:
        row = row_of(all_facts)
    else:
        row = before or RunRow()
        for event in fresh:
            row = row.apply(event)
    return Folded(before, row) if row.seq else None


def rewinds(fresh: Sequence[StoredEvent]) -> bool:
    """True if these facts can only be folded together with all earlier ones."""
    return any(event.type == REWOUND for event in fresh)


def changes_row(event_type: str, key: str | None) -> bool:
    """True for a fact that changes a row."""
    return key is not None and event_type in ROW_TYPES


def columns_of(row: RunRow) -> RowColumns:
    """The columns of the row."""
    return RowColumns(
        created_us(row),
        indexed(row.tenant),
        row.status.value,
        *(
            indexed(it) if it is not None else None
            for it in (row.agent, row.model, row.batch, row.parent, row.forked_from)
        ),
    )


def created_us(row: RunRow) -> int:
    """When the run was created, in microseconds since 1970."""
    return microseconds(row.created_at) if row.created_at else 0


def entry_of(row: RunRow) -> Entry:
    """Labels and words of the row."""
    metadata = row.metadata or {}
    labels = tuple((indexed(key), indexed(value)) for key, value in metadata.items())
    texts = (row.title, row.run_id, *metadata.values())
    return Entry(labels, tuple(dict.fromkeys(word for text in texts for word in words_of(text))))


def entries(
    row: RunRow, entry: Entry
) -> tuple[list[tuple[str, str, str, int, str]], list[tuple[str, str, int, str]]]:
    """The rows of the tables of labels and of words."""
    tenant, at = indexed(row.tenant), created_us(row)
    labels = [(tenant, key, value, at, row.run_id) for key, value in entry.labels]
    return labels, [(tenant, word, at, row.run_id) for word in entry.words]


def words_of(text: str) -> Iterator[str]:
    """Letters, digits and underscores between others, in lower case, shortened."""
    return (word[:MAX_WORD_CHARS] for word in _WORD.findall(text.casefold()))


def indexed(text: str) -> str:
    """The text as an index can hold it: Postgres has no NUL, and no long entries."""
    whole = text.replace("\0", "\ufffd").encode("utf-8", "replace")
    if len(whole) <= MAX_KEY_BYTES:
        return whole.decode()
    return f"sha256:{hashlib.sha256(whole).hexdigest()}"


def _given(row: RunRow) -> tuple[object, ...]:
    """All that columns but the status, labels and words are made of."""
    who = (row.tenant, row.agent, row.model, row.batch, row.parent, row.forked_from)
    return (row.created_at, row.title, row.metadata, who)
