"""A fresh embedded Temporal server, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from relayline.dev.temporal_server import find_binary, server_flags
from relayline.runtime.temporal import data_converter


@asynccontextmanager
async def own_temporal_server(*flags: str) -> AsyncIterator[Client]:
    """A client of a server that nobody else knows, tuned as every embedded one is.

    Args:
        flags: More of them for the server.
    """
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(find_binary()),
        dev_server_extra_args=[*server_flags(), *flags],
        data_converter=data_converter,
    )
    try:
        yield env.client
    finally:
        await env.shutdown()
