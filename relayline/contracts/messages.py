"""The transcript of a run: what was said by whom, and which tools were called."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from relayline.contracts.frozen import Frozen


class Usage(Frozen):
    """Tokens, as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """The sum of both."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class ToolCall(Frozen):
    """One call that the model asked for."""

    call_id: str
    """Unique within the run: `call_{step}_{index}`."""
    name: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


class UserMessage(Frozen):
    """What a person said: the run's input or a redirect."""

    role: Literal["user"] = "user"
    text: str


class AssistantMessage(Frozen):
    """What the model said, with the tool calls it asked for."""

    role: Literal["assistant"] = "assistant"
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    interrupted: bool = False
    """True when a command stopped the model before it had finished."""


class ToolMessage(Frozen):
    """What a tool call came to."""

    role: Literal["tool"] = "tool"
    call_id: str
    name: str
    output: str
    is_error: bool = False


class OmittedMessages(Frozen):
    """Stands where earlier messages are left out of a context that had grown too long."""

    role: Literal["omitted"] = "omitted"
    summary: str = ""
    """Of what is left out; empty if there is none."""
    count: int
    """How many messages and results are left out."""
    answers: int = 0
    """How many of them are whole answers to the newest user message that stands before this."""

    @property
    def text(self) -> str:
        """What a model is told."""
        head = f"{self.count} earlier messages are left out here"
        return f"[{head}. A summary of them:]\n{self.summary}" if self.summary else f"[{head}.]"


Message = Annotated[
    UserMessage | AssistantMessage | ToolMessage | OmittedMessages, Field(discriminator="role")
]
