"""One stack for all tests of families."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.dev_stack import DevStack


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """With prices, and two workers: when one dies, the other takes over."""
    folder, prices = tmp_path_factory.mktemp("family"), {"RELAYLINE_PRICES": "rehearsal=1000/2000"}
    async with DevStack(folder, "--workers", "2", **prices) as started:
        yield started
