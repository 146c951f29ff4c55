"""The stand-in server and the two clients."""

from __future__ import annotations

import pytest

from relayline.client import AsyncClient, Client
from tests.client.both import Caller
from tests.client.stand_in import stand_in

__all__ = ["stand_in"]


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "async"])
def both(request: pytest.FixtureRequest) -> Caller:
    """Each client in turn."""
    return Caller(request.param)
