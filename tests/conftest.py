"""What every test may use: the real Temporal server, a journal, a worker and the API over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from embedded.temporal_server import find_binary, server_flags


@pytest.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of one embedded Temporal server, the same for the whole session."""
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_binary()),
        dev_server_extra_args=list(server_flags()),
        data_converter=pydantic_data_converter,
    )
    try:
        yield env.client
    finally:
        await env.shutdown()


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session's journal is."""
    return tmp_path_factory.mktemp("state")
