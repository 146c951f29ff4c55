"""A real journal for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journal.port import Journal
from journal.sqlite import SqliteJournal


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = SqliteJournal(tmp_path / "journal.db")
    yield made
    await made.close()
