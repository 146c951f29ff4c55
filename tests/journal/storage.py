"""The adapters under test: one line each, and everything else follows."""

from __future__ import annotations

from pathlib import Path

from journal.port import Journal
from journal.sqlite import SqliteJournal

ADAPTERS = ("sqlite",)


def new_storage(adapter: str, folder: Path) -> str:
    """Where a fresh journal of that adapter lives; fits on a command line."""
    return f"{adapter}:{folder / 'journal.db'}"


def open_journal(storage: str) -> Journal:
    """A journal as one process holds it; open several to have several processes."""
    adapter, _, where = storage.partition(":")
    return {"sqlite": SqliteJournal}[adapter](Path(where))
