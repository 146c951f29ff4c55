"""One answer of a model, as it comes in and as it is kept."""

from __future__ import annotations

import json
import re
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import assert_never

from pydantic import JsonValue

from activities.deltas import DeltaWriter
from activities.port import (
    CallPart,
    FinishPart,
    ModelProvider,
    Prompt,
    ProviderError,
    ReasoningPart,
    TextPart,
)
from contracts.events import MessageCompleted, MessageInterrupted
from contracts.messages import ToolCall
from contracts.steps import (
    MAX_CALLS_PER_STEP,
    ModelResult,
    PlannedCall,
    call_id,
    preview,
)

NAME_CHARS = 64
CALL_PREVIEW_CHARS = 120


@dataclass
class Answer:
    """What a provider has streamed so far."""

    texts: list[str] = field(default_factory=list)
    calls: list[CallPart] = field(default_factory=list)
    finish: FinishPart | None = None

    async def receive(self, provider: ModelProvider, prompt: Prompt, writer: DeltaWriter) -> None:
        """Read the whole answer and show its text and reasoning as they come.

        Raises:
            ProviderError: as the provider says; or the answer has no end, which a retry may help.
            UnknownModel: as the provider says.
            BadScript: as the provider says.
        """
        async with aclosing(provider.stream(prompt)) as parts:
            async for part in parts:
                match part:
                    case TextPart(text=text):
                        self.texts.append(text)
                        await writer.put("text", text)
                    case ReasoningPart(text=text):
                        await writer.put("reasoning", text)
                    case CallPart():
                        self.calls.append(part)
                    case FinishPart():
                        self.finish = part
                    case _:
                        assert_never(part)
        if self.finish is None:
            raise ProviderError(f"{prompt.model} stopped in mid-answer", retryable=True)

    def completed(self, step: int) -> MessageCompleted:
        """The whole answer.

        Calls past `MAX_CALLS_PER_STEP` are left out, as if the model had never asked for them: it
        sees in the transcript which ones were run, and may ask for the others in its next step.
        """
        if self.finish is None:
            raise ValueError("the answer is not complete")
        calls = self.calls[:MAX_CALLS_PER_STEP]
        return MessageCompleted(
            text="".join(self.texts),
            tool_calls=tuple(
                ToolCall(
                    call_id=call_id(step, index),
                    name=_tool_name(call.name),
                    arguments=call.arguments,
                )
                for index, call in enumerate(calls)
            ),
            finish_reason="tool_calls" if calls else self.finish.reason,
            usage=self.finish.usage,
        )

    def interrupted(self) -> MessageInterrupted:
        """The text so far; calls that it asked for are dropped, they will not run."""
        text = "".join(self.texts)
        return (
            MessageInterrupted(text=text, usage=self.finish.usage)
            if self.finish
            else MessageInterrupted(text=text)
        )


def model_result(body: MessageCompleted | MessageInterrupted) -> ModelResult:
    """What the workflow has to know of a message; small, whatever the size of the message."""
    return ModelResult(
        finish_reason=body.finish_reason,
        calls=tuple(
            PlannedCall(call_id=call.call_id, name=call.name, preview=call_preview(call.arguments))
            for call in body.tool_calls
        ),
        usage=body.usage,
        preview=preview(body.text),
        interrupted=isinstance(body, MessageInterrupted),
    )


def call_preview(arguments: dict[str, JsonValue]) -> str:
    """`path=README.md, limit=5`: one line for people, at most 120 characters."""
    shown = (f"{name}={_shown(value)}" for name, value in arguments.items())
    return preview(" ".join(", ".join(shown).split()), CALL_PREVIEW_CHARS)


def _shown(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[: CALL_PREVIEW_CHARS + 1]


def _tool_name(name: str) -> str:
    """The name in the form that every provider accepts when it is told of the call later."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:NAME_CHARS] or "_"
