"""The stand-in server, and the ways that tests ask a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relayline.activities.model.providers.factory import ProviderConfig, Providers, provider_for
from tests.activities.model.providers.stand_in import StandIn, serving

KEY = "sk-not-for-anybodys-eyes"


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    async with serving() as server:
        yield server


@pytest.fixture
async def providers(stand_in: StandIn) -> AsyncIterator[Providers]:
    made = provider_for(
        ProviderConfig(
            compatible_base_url=stand_in.url,
            compatible_api_key=KEY,
            local_base_url=stand_in.url,
        )
    )
    yield made
    await made.aclose()
