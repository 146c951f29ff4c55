"""The port to language models: what a provider is asked and what it streams back.

Two implementations: the rehearsal script (`providers/scripted.py`) and everything that
pydantic-ai speaks to (`providers/remote.py`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal, NamedTuple, Protocol

from pydantic import JsonValue

from relayline.contracts.messages import Message, Usage
from relayline.contracts.runs import ToolSpec


class Prompt(NamedTuple):
    """One model call."""

    model: str
    """`rehearsal`, `local` or `provider:name`."""
    instructions: str
    messages: tuple[Message, ...]
    """The transcript, oldest first."""
    tools: tuple[ToolSpec, ...]
    attempt: int
    """1 for the first attempt of this call."""
    purpose: Literal["answer", "summary"] = "answer"
    """`summary`: the messages are to be summed up; for models that play a part (`rehearsal`)."""


class TextPart(NamedTuple):
    """A piece of the answer, as it came."""

    text: str


class ReasoningPart(NamedTuple):
    """A piece of reasoning, as it came."""

    text: str


class CallPart(NamedTuple):
    """A whole tool call; JSON that does not parse comes as `arguments.malformed` has it."""

    name: str
    arguments: dict[str, JsonValue]


class FinishPart(NamedTuple):
    """The end of the answer; always the last part."""

    reason: str
    """`stop`, `tool_calls`, `length`, `content_filter` or `other`."""
    usage: Usage


ModelPart = TextPart | ReasoningPart | CallPart | FinishPart


class ProviderError(Exception):
    """A provider said no, or did not answer."""

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.status = status
        """HTTP status, None when there was no answer."""
        self.retry_after_s = retry_after_s


class EmptyAnswer(ProviderError):
    """A provider ended an answer that has no text and calls no tool."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class UnknownModel(Exception):
    """No provider goes by that name, or what it needs (a key, a URL) is missing."""


class BadScript(Exception):
    """The rehearsal script is not one; the message names the item and the field."""


class ModelProvider(Protocol):
    """Streams one model's answer."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """The answer, piece by piece; closing the generator closes the connection.

        Raises:
            ProviderError: the provider refused or failed.
            UnknownModel: the model can't be reached with what is configured.
            BadScript: the rehearsal script is malformed.
        """
        ...


_RETRYABLE = frozenset({408, 409, 425, 429})


def retry_helps(status: int) -> bool:
    """True for 408, 409, 425, 429 and 5xx: the same request may well succeed later."""
    return status in _RETRYABLE or status >= 500
