"""A real journal for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayline.journal.port import Journal
from relayline.journal.sqlite.journal import SqliteJournal


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = SqliteJournal(tmp_path / "journal.db")
    yield made
    await made.close()
