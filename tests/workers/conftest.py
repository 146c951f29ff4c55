"""Processes and workers of several kinds and builds, each test on a Temporal of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from relayline.journal.sqlite.journal import SqliteJournal
from tests.own_temporal import own_temporal_server


@pytest.fixture
async def own_temporal() -> AsyncIterator[Client]:
    """A fresh Temporal server: no worker has ever asked it for anything."""
    async with own_temporal_server() as client:
        yield client


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    made = SqliteJournal(tmp_path / "journal.db")
    yield made
    await made.close()
