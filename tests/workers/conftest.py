"""Processes and workers of several kinds and builds, each test on a Temporal of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from embedded.temporal_server import find_binary, server_flags
from journal.sqlite import SqliteJournal


@pytest.fixture
async def own_temporal() -> AsyncIterator[Client]:
    """A fresh Temporal server: no worker has ever asked it for anything."""
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_binary()),
        dev_server_extra_args=list(server_flags()),
        data_converter=pydantic_data_converter,
    )
    yield env.client
    await env.shutdown()


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    made = SqliteJournal(tmp_path / "journal.db")
    yield made
    await made.close()
