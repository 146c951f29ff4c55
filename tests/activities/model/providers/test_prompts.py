"""The transcript in the terms of the provider library."""

from __future__ import annotations

from pydantic_ai.messages import ModelRequest, ModelResponse, UserPromptPart

from relayline.activities.model.providers.prompts import CONTINUE, model_messages
from relayline.contracts.messages import AssistantMessage, Message, OmittedMessages, UserMessage


def test_a_model_that_was_interrupted_and_told_nothing_since_is_asked_to_go_on() -> None:
    said: list[Message] = [
        UserMessage(text="hi"),
        AssistantMessage(text="hello wor", interrupted=True),
    ]
    *_, answer, last = model_messages(said)
    assert isinstance(answer, ModelResponse)
    assert isinstance(last, ModelRequest)
    assert [part.content for part in last.parts if isinstance(part, UserPromptPart)] == [CONTINUE]


def test_a_model_that_was_redirected_is_told_only_that() -> None:
    said: list[Message] = [
        UserMessage(text="hi"),
        AssistantMessage(text="hello wor", interrupted=True),
        UserMessage(text="go left"),
    ]
    last = model_messages(said)[-1]
    parts = [part.content for part in last.parts if isinstance(part, UserPromptPart)]
    assert parts == ["go left"]


def test_a_model_is_told_that_something_is_left_out_and_what_it_came_to() -> None:
    said: list[Message] = [
        UserMessage(text="hi"),
        OmittedMessages(summary="it looked", count=4),
        AssistantMessage(text="hello"),
    ]
    first, *_ = model_messages(said)
    parts = [part.content for part in first.parts if isinstance(part, UserPromptPart)]
    assert parts == ["hi", "[4 earlier messages are left out here. A summary of them:]\nit looked"]
