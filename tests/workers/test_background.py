"""What a worker process does in the background."""

from __future__ import annotations

import logging

import pytest

from relayline.side_worker import in_background
from tests.api.serving import eventually


async def test_work_that_fails_is_told_of_at_once_and_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        raise KeyError("agent")

    async def block() -> None:
        async with in_background(work(), "notice webhooks"):
            await eventually(lambda: bool(caplog.records))

    with caplog.at_level(logging.ERROR), pytest.raises(KeyError, match="agent"):
        await block()
    [told] = caplog.records
    assert vars(told)["work"] == "notice webhooks"
    assert told.exc_info
