"""Rows between what is stored and what is folded: sealed where their tenant has a key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from relayline.contracts.envelope import StoredEvent
from relayline.journal.columns import Entry, Folded, entry_of, open_labels, words_of
from relayline.journal.port import TenantErased, Unreadable
from relayline.journal.tenants.data_key import is_sealed, key_id_of
from relayline.journal.tenants.vault import Vault
from relayline.projections.row import RunRow, dump_row, load_row

KEPT = 1024
"""Rows of a process; a busy one has fewer runs at a time."""
_ROW, _EVENT = "row", "event"
"""Kinds of texts."""


class KnownRows:
    """Rows by the text that stores them: another text is another row, whoever wrote it.

    Everything that opens something raises `UnknownKey` for a key that is not in memory,
    `Unreadable` and `TenantErased`. The rows that it remembers are for one thread.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._rows: OrderedDict[str, tuple[str, RunRow]] = OrderedDict()

    def load(self, run_id: str, state: str) -> RunRow:
        """The row of that text, which can be folded on.

        Raises:
            ValidationError: the text is not of a row.
        """
        known = self._rows.get(run_id)
        return known[1] if known and known[0] == state else self.row(run_id, state)

    def keep(self, row: RunRow, state: str) -> None:
        """This row is stored as that text."""
        if row.status.ended:
            self._rows.pop(row.run_id, None)
            return
        self._rows[row.run_id] = state, replace(row, before=None)
        self._rows.move_to_end(row.run_id)
        if len(self._rows) > KEPT:
            self._rows.popitem(last=False)

    def row(self, run_id: str, state: str) -> RunRow:
        """The row of that text, for any thread.

        Raises:
            ValidationError: the text is not of a row.
        """
        return load_row(self.opened_state(run_id, state))

    def row_to_forget(self, tenant: str, run_id: str, state: str) -> RunRow:
        """The row of a tenant that is being erased; without labels if it can't be opened."""
        try:
            return self.row(run_id, state)
        except (Unreadable, TenantErased):
            return RunRow(run_id=run_id, tenant=tenant)

    def opened_state(self, run_id: str, state: str) -> str:
        """The text as `dump_row` gives it."""
        if not is_sealed(state):
            return state
        return self._vault.by_id(key_id_of(state)).open(state, _ROW, run_id)

    def dump(self, row: RunRow) -> str:
        """The text that stores the row."""
        text = dump_row(row)
        key = self._vault.of(row.tenant)
        return key.seal(text, _ROW, row.run_id) if key else text

    def marked(self, result: Folded, state: str | None) -> Folded:
        """The same; `resealed` if it was stored as a plain text and must not be any more."""
        if state is None or is_sealed(state) or self._vault.of(result.row.tenant) is None:
            return result
        return result._replace(resealed=True)

    def entry(self, row: RunRow) -> Entry:
        """Labels and words to store; under a key, digests of metadata and words of the id."""
        key = self._vault.of(row.tenant)
        if key is None:
            return entry_of(row)
        labels = tuple(key.label(*label) for label in (row.metadata or {}).items())
        return Entry(labels + open_labels(row), tuple(dict.fromkeys(words_of(row.run_id))))

    def entries_to_delete(self, row: RunRow) -> list[Entry]:
        """What may be stored of the row: it may be older than its tenant's key."""
        plain = entry_of(row)
        try:
            key = self._vault.of(row.tenant)
        except (Unreadable, TenantErased):
            return [plain]  # what such a row was read from is plain, and its entries are
        return [plain] if key is None else [plain, self.entry(row)]

    def opened(self, events: Iterable[StoredEvent]) -> list[StoredEvent]:
        """The events as they were appended."""
        return opened_events(self._vault, events)


def opened_events(vault: Vault, events: Iterable[StoredEvent]) -> list[StoredEvent]:
    """The events as they were appended."""
    return [
        event._replace(data=vault.by_id(key_id_of(event.data)).open(event.data, *bound_to(event)))
        if is_sealed(event.data)
        else event
        for event in events
    ]


def bound_to(event: StoredEvent) -> tuple[str, ...]:
    """What is bound to the sealed data of an event."""
    return event_bounds(event.run_id, event.type, event.key)


def event_bounds(run_id: str, kind: str, key: str | None) -> tuple[str, ...]:
    """The same; adapters number events when it is too late for `seq`."""
    return (_EVENT, run_id, kind, key or "")
