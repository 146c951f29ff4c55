"""One whole stack for those tests of this folder that leave it as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.dev_stack import DevStack


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """`relayline dev` with one worker and quick heartbeats."""
    data_dir = tmp_path_factory.mktemp("faults")
    async with DevStack(data_dir, RELAYLINE_HEARTBEAT_S="0.5") as started:
        yield started
