"""`sleep` and `ask_user`."""

from __future__ import annotations

import time
from typing import Any

import pytest

from catalog.tools import Tool, ToolError


async def test_sleep_sleeps(tools: dict[str, Tool]) -> None:
    began = time.monotonic()
    function: Any = tools["sleep"].function
    assert await function(seconds=0.05) == "slept 0.05 s"
    assert time.monotonic() - began >= 0.05


async def test_asking_a_person_fails_for_good_and_repeats_the_question(
    tools: dict[str, Tool],
) -> None:
    function: Any = tools["ask_user"].function
    with pytest.raises(ToolError, match="Which one") as refusal:
        await function(question="Which one?")
    assert not refusal.value.retryable
