"""Cached and reasoning tokens: told where the provider tells them, never more than the whole."""

from __future__ import annotations

import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.usage import RequestUsage

from relayline.activities.model.port import FinishPart, Prompt
from relayline.activities.model.providers.ending import ending
from relayline.activities.model.providers.wire.heard import Heard
from relayline.contracts.messages import Usage, UserMessage

PROMPT = Prompt(
    model="openai:gpt-5",
    instructions="",
    messages=(UserMessage(text="hi"),),
    tools=(),
    attempt=1,
)


def usage_of(heard: Heard, cache_read_tokens: int, output_reasoning_tokens: int = 0) -> Usage:
    counted = RequestUsage(
        cache_read_tokens=cache_read_tokens, output_reasoning_tokens=output_reasoning_tokens
    )
    response = ModelResponse(parts=[TextPart("hi")], usage=counted)
    finish = ending(response, heard, PROMPT, 2)[-1]
    assert isinstance(finish, FinishPart)
    return finish.usage


@pytest.mark.parametrize(
    ("cached", "reasoning", "told"), [(40, 5, (40, 5)), (0, 0, (0, 0)), (400, 50, (100, 10))]
)
def test_the_parts_of_a_usage_are_within_it(
    cached: int, reasoning: int, told: tuple[int, int]
) -> None:
    heard = Heard(listening=True, word="stop", input_tokens=100, output_tokens=10)
    usage = usage_of(heard, cache_read_tokens=cached, output_reasoning_tokens=reasoning)
    assert (usage.cached_tokens, usage.reasoning_tokens) == told
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (100, 10, False)


def test_a_guess_has_no_parts() -> None:
    usage = usage_of(Heard(listening=True, word="stop"), cache_read_tokens=40)
    assert usage.estimated
    assert (usage.cached_tokens, usage.reasoning_tokens) == (0, 0)
