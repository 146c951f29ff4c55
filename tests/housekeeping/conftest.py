"""A journal, a worker for housekeeping, and runs that end in every way that Temporal knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from relayline.journal.sqlite.journal import SqliteJournal
from tests.housekeeping.house import House
from tests.own_temporal import own_temporal_server


@pytest.fixture(scope="package")
async def temporal() -> AsyncIterator[Client]:
    """A Temporal in which nobody else takes up runs."""
    async with own_temporal_server() as client:
        yield client


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    opened = SqliteJournal(tmp_path / "journal.db")
    yield opened
    await opened.close()


@pytest.fixture
def house(temporal: Client, journal: SqliteJournal, tmp_path: Path) -> House:
    return House(temporal, journal, tmp_path / "journal.db")
