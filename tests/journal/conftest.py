"""Storage of each adapter, and a journal on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayline.journal.port import Journal
from relayline.journal.table import Storage
from tests.journal.storage import ADAPTERS, new_storage, open_journal, open_table


@pytest.fixture(params=ADAPTERS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_storage(request.param, tmp_path, lambda: request.getfixturevalue("postgres"))


@pytest.fixture
async def journal(storage: str) -> AsyncIterator[Journal]:
    opened = open_journal(storage)
    yield opened
    await opened.close()


@pytest.fixture
async def other(storage: str) -> AsyncIterator[Journal]:
    """The same journal, as another process would hold it."""
    opened = open_journal(storage)
    yield opened
    await opened.close()


@pytest.fixture
async def table(storage: str) -> AsyncIterator[Storage]:
    opened = open_table(storage)
    yield opened
    await opened.close()


@pytest.fixture
async def other_table(storage: str) -> AsyncIterator[Storage]:
    """The same storage, as another process would hold it."""
    opened = open_table(storage)
    yield opened
    await opened.close()
