"""The stand-in server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.console.stand_in import StandIn


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    """A server with no events, on a free port."""
    server = StandIn()
    async with server.serving():
        yield server
