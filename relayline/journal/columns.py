"""What the runs table stores of a row in columns of their own, to find and sum it by. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from relayline.contracts.envelope import StoredEvent, microseconds
from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Usage, UsageSum
from relayline.contracts.money import Cost
from relayline.contracts.runs import TERMINAL, RunStatus
from relayline.journal.table import Summed
from relayline.projections.row import ROW_TYPES, RunRow, row_of
from relayline.projections.valid import REWOUND

MAX_KEY_BYTES = 512
"""A longer text is found by its digest: an index entry of Postgres has 2,704 bytes at most."""
MAX_WORD_CHARS = 64
"""A longer word is found by its beginning."""
MAX_TOKENS = 10**12
"""More in one run count as so many: then no sum over some million runs overflows 64 bits."""
MAX_PICOS = 2**63 - 1
"""What a run costs at most in sums: 9.2 million dollars, in 64 bits."""
OPEN = frozenset(RunStatus) - TERMINAL
_WORD = re.compile(r"\w+")
CONVERSATION = ("", "conversation")
"""A label of every conversation; no key of metadata is empty."""


class _State(Frozen):
    """What sums are made of, in the stored text of a row."""

    usage: Usage = Usage()
    ended_at: datetime | None = None


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
    root: str | None
    forked_from: str | None
    input_tokens: int
    """From here on, what sums are made of."""
    output_tokens: int
    cost_picos: int | None
    """Trillionths of a US dollar; None: nothing was spent, or some of the prices are not known."""
    estimated: int
    """1 if some of the tokens are a guess, else 0."""
    ended_us: int | None
    """When the run ended, in microseconds since 1970, UTC; None: it is open."""


SPENT = RowColumns._fields[RowColumns._fields.index("input_tokens") :]
"""The columns that `spent_of` gives."""


_LOWER = 2**32 - 1
SUMS = f"""count(*) AS runs, sum(r.input_tokens) AS input, sum(r.output_tokens) AS output,
    count(r.cost_picos) AS priced,
    sum(r.cost_picos >> 32) AS upper_half, sum(r.cost_picos & {_LOWER}) AS lower_half,
    sum(CASE WHEN r.cost_picos IS NULL AND r.input_tokens + r.output_tokens > 0
        THEN 1 ELSE 0 END) AS unpriced,
    max(r.estimated) AS estimated,
    max(CASE WHEN r.cost_picos IS NULL THEN 0 ELSE r.estimated END) AS guessed"""
"""Of the rows of one group; the cost in halves, because SQLite adds up in 64 bits."""
TOTALS = """sum(runs), sum(input), sum(output), sum(priced), sum(upper_half), sum(lower_half),
    sum(unpriced), max(estimated), max(guessed)"""
"""Of these groups together."""


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
    resealed: bool = False
    """True if the stored row is plain and its tenant has a key now."""

    @property
    def changed(self) -> bool:
        """False if the facts have changed nothing."""
        return self.row is not self.before

    @property
    def moved(self) -> bool:
        """True if all columns, labels and words must be written again; rare but for a new row."""
        before = self.before
        return before is None or self.resealed or _given(before) != _given(self.row)

    @property
    def spent(self) -> bool:
        """True if the columns that sums are made of are others."""
        before = self.before
        return before is None or (before.usage, before.ended_at) != (
            self.row.usage,
            self.row.ended_at,
        )

    @property
    def switched(self) -> bool:
        """True if the status is another."""
        return self.before is None or self.before.status is not self.row.status

    @property
    def expires(self) -> bool:
        """True if the time at which the run expires is another; rare."""
        return expires_us(self.row) != (expires_us(self.before) if self.before else None)


def folded(
    before: RunRow | None, fresh: Sequence[StoredEvent], all_facts: Sequence[StoredEvent] | None
) -> Folded | None:
    """The row with the facts that are not yet in it; None if no fact makes a row.

    Args:
        before: The stored row, None if there is none.
        fresh: The facts of `ROW_TYPES` after those that are in the row, in order.
        all_facts: All facts of the run, which a reset needs; None where they can't be had, because
            some were swept.
    """
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
    agent, model, batch, parent, root, forked_from = (
        indexed(it) if it is not None else None
        for it in (row.agent, row.model, row.batch, row.parent, row.root, row.forked_from)
    )
    return RowColumns(
        created_us(row),
        indexed(row.tenant),
        row.status.value,
        agent,
        model,
        batch,
        parent,
        root,
        forked_from,
        *spent_of(row.usage, row.ended_at),
    )


def spent_of(
    usage: Usage, ended_at: datetime | None
) -> tuple[int, int, int | None, int, int | None]:
    """The columns of `SPENT`."""
    return (
        min(max(usage.input_tokens, 0), MAX_TOKENS),
        min(max(usage.output_tokens, 0), MAX_TOKENS),
        min(usage.cost.picos, MAX_PICOS) if usage.cost else None,
        int(usage.estimated),
        microseconds(ended_at) if ended_at else None,
    )


def spent_in(state: str) -> tuple[int, int, int | None, int, int | None]:
    """The same, of the row that is stored as that text.

    Raises:
        ValidationError: the text is not of a row.
    """
    stored = _State.model_validate_json(state)
    return spent_of(stored.usage, stored.ended_at)


def created_us(row: RunRow) -> int:
    """When the run was created, in microseconds since 1970."""
    return microseconds(row.created_at) if row.created_at else 0


def expires_us(row: RunRow) -> int | None:
    """When the run is erased, in microseconds since 1970; None without a retention of its own."""
    if row.retention_days is None or row.ended_at is None:
        return None
    return microseconds(row.ended_at + timedelta(days=row.retention_days))


def entry_of(row: RunRow) -> Entry:
    """Labels and words of the row."""
    metadata = row.metadata or {}
    labels = tuple((indexed(key), indexed(value)) for key, value in metadata.items())
    labels += open_labels(row)
    texts = (row.title, row.run_id, *metadata.values())
    return Entry(labels, tuple(dict.fromkeys(word for text in texts for word in words_of(text))))


def open_labels(row: RunRow) -> tuple[tuple[str, str], ...]:
    """The labels that are stored as they are under a tenant's key, too."""
    return (CONVERSATION,) if row.open else ()


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
    who = (row.tenant, row.agent, row.model, row.batch, row.parent, row.root, row.forked_from)
    return (row.created_at, row.title, row.metadata, row.open, who)


def summed(found: Sequence[Any]) -> tuple[RunStatus, Summed]:
    """The status and its sums, from a row of `SUMS` and `TOTALS`."""
    runs, read, written, priced, upper, lower, unpriced, estimated, guessed = (
        int(it or 0) for it in found[1:10]
    )
    picos = (upper << 32) + lower
    usage = UsageSum(
        input_tokens=read,
        output_tokens=written,
        cost=Cost.of_picos(picos, estimated=guessed > 0) if priced else None,
        unpriced_runs=unpriced,
        estimated=estimated > 0,
    )
    return RunStatus(found[0]), Summed(runs, usage)
