"""The messages of a run's transcript, and token usage."""

from __future__ import annotations

import operator
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from relayline.contracts.frozen import Frozen


class Usage(Frozen):
    """Token counts, as reported by the provider."""

    input_tokens: int = 0
    """Tokens that the model read."""
    output_tokens: int = 0
    """Tokens that the model wrote."""
    estimated: bool = Field(default=False, exclude_if=operator.not_)
    """True if the provider did not report all of them, so that some are a guess from the text; left
    out otherwise."""

    def __add__(self, other: Usage) -> Usage:
        """The sum of both."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            estimated=self.estimated or other.estimated,
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class ToolCall(Frozen):
    """A tool call that the model asked for."""

    call_id: str
    """Unique within the run: `call_{step}_{index}`."""
    name: str
    """The tool's name."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """As the model gave them."""


class Kept(Frozen):
    """What a provider needs back with its own answer: reasoning, signatures, ids."""

    provider: str
    """Who sent it; nobody else gets it back."""
    data: str
    """Opaque, at most 512 KiB."""


class UserMessage(Frozen):
    """A message of a person: the run's input or a redirect."""

    role: Literal["user"] = "user"
    text: str


class AssistantMessage(Frozen):
    """An answer of the model, with the tool calls that it asked for."""

    role: Literal["assistant"] = "assistant"
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    interrupted: bool = False
    """True when a command interrupted the model."""
    kept: Kept | None = None


class ToolMessage(Frozen):
    """The result of a tool call."""

    role: Literal["tool"] = "tool"
    call_id: str
    name: str
    output: str
    is_error: bool = False


class OmittedMessages(Frozen):
    """Replaces earlier messages in a context that has grown too long."""

    role: Literal["omitted"] = "omitted"
    summary: str = ""
    """Summary of what is left out; empty if there is none."""
    count: int
    """Number of messages and results that are left out."""
    answers: int = 0
    """How many of them are whole answers to the newest user message before this one."""

    @property
    def text(self) -> str:
        """The text for the model."""
        head = f"{self.count} earlier messages are left out here"
        return f"[{head}. A summary of them:]\n{self.summary}" if self.summary else f"[{head}.]"


Message = Annotated[
    UserMessage | AssistantMessage | ToolMessage | OmittedMessages, Field(discriminator="role")
]
