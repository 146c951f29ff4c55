"""One whole stack, in processes of its own, for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.dev_stack import DevStack


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """`relayline dev` with one worker."""
    async with DevStack(tmp_path_factory.mktemp("dev")) as started:
        yield started
