"""What every test may use: the real Temporal server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from embedded.temporal_server import find_binary, server_flags


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[Client]:
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
