"""`sleep` and `ask_user`."""

from __future__ import annotations

import time
from typing import Any

import pytest

from relayline.catalog.schemas.schema import mismatch
from relayline.catalog.tools import Tool, ToolError


async def test_sleep_sleeps(tools: dict[str, Tool]) -> None:
    began = time.monotonic()
    function: Any = tools["sleep"].function
    assert await function(seconds=0.05) == "slept 0.05 s"
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({}, "question"),
        ({"question": ""}, "question"),
        ({"question": "?" * 4001}, "question"),
        ({"question": "?", "choices": [""]}, "choices"),
        ({"question": "?", "choices": ["x"] * 21}, "choices"),
        ({"question": "?", "within_s": 0}, "within_s"),
        ({"question": "?", "within_s": 30 * 86_400 + 1}, "within_s"),
    ],
)
def test_a_question_has_its_limits(
    tools: dict[str, Tool], arguments: dict[str, Any], wrong: str
) -> None:
    found = mismatch(tools["ask_user"].spec.parameters, arguments)
    assert found
    assert wrong in found
    assert mismatch(tools["ask_user"].spec.parameters, {"question": "?", "choices": ["x"]}) is None


async def test_a_question_that_nobody_was_asked_fails_for_good_and_is_repeated(
    tools: dict[str, Tool],
) -> None:
    function: Any = tools["ask_user"].function
    with pytest.raises(ToolError, match="Which one") as refusal:
        await function(question="Which one?")
    assert not refusal.value.retryable
