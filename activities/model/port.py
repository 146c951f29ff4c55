"""The port to language models: the prompt, and the parts of an answer that a provider streams.

There are two implementations: the rehearsal model (`providers/scripted.py`) and all models that
pydantic-ai supports (`providers/remote.py`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from pydantic import JsonValue

from relayline.contracts.events import BudgetExceeded
from relayline.contracts.messages import Kept, Message, Usage
from relayline.contracts.runs import DEFAULT_TENANT, ModelSettings, ToolSpec


class Loaded(NamedTuple):
    """A file in memory."""

    data: bytes
    media_type: str
    name: str


class Prompt(NamedTuple):
    """The input of one model call."""

    model: str
    """`rehearsal`, `local` or `provider:name`."""
    instructions: str
    messages: tuple[Message, ...]
    """The transcript, oldest first."""
    tools: tuple[ToolSpec, ...]
    attempt: int
    """1 for the first attempt of this call."""
    purpose: Literal["answer", "summary"] = "answer"
    """`summary`: sum up the messages; only scripted models (`rehearsal`) need to know."""
    think_tags: bool = False
    """True: reasoning is in the text, between tags (see `tags.py`)."""
    tenant: str = DEFAULT_TENANT
    """Whose run it is: its own key is used where it has one."""
    output_schema: dict[str, JsonValue] | None = None
    """The answer must be a JSON object that fits this; None: it is text."""
    run_id: str = ""
    """The run, where its files are needed."""
    files: Mapping[str, Loaded] = MappingProxyType({})
    """Files that messages name, by id or URL; one that was erased is missing."""
    settings: ModelSettings = ModelSettings()
    """How to ask; what is None is left to the provider."""


class TextPart(NamedTuple):
    """A piece of the answer's text."""

    text: str


class ReasoningPart(NamedTuple):
    """A piece of reasoning."""

    text: str


class CallPart(NamedTuple):
    """A tool call.

    `arguments.malformed` replaces arguments that are no valid JSON, `arguments.cut_off` those of a
    call that the provider may not have finished: the model is told, and nothing runs.
    """

    name: str
    arguments: dict[str, JsonValue]


class FinishPart(NamedTuple):
    """The end of the answer; always the last part."""

    reason: str
    """`stop`, `tool_calls`, `length`, `content_filter`, `unknown` (the provider said that the
    answer is over, but not why) or `other` (for a reason that we do not know)."""
    usage: Usage
    kept: Kept | None = None
    """What the provider needs back with this answer."""


ModelPart = TextPart | ReasoningPart | CallPart | FinishPart


class ProviderError(Exception):
    """A provider refused, failed, or did not answer."""

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
        """HTTP status, None if there was no response."""
        self.retry_after_s = retry_after_s


class EmptyAnswer(ProviderError):
    """A provider's answer has no text and no tool call."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class UnknownModel(Exception):
    """There is no provider of that name, or its key or URL is missing."""


class BadScript(Exception):
    """The rehearsal script is invalid; the message names the item and the field."""


class QuotaSpent(Exception):
    """The run's tenant has used up its quota of the day."""

    def __init__(self, fact: BudgetExceeded) -> None:
        """Say so.

        Args:
            fact: What the journal is told; its limit is `tenant_tokens` or `tenant_cost`.
        """
        what = fact.limit.removeprefix("tenant_")
        figures = f"{fact.used:,.15g} of {fact.allowed:,.15g}"
        super().__init__(f"the tenant has used {figures} {what} of this day (UTC)")
        self.fact = fact


class ModelProvider(Protocol):
    """Streams one model's answer."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        """The answer, piece by piece; closing the generator closes the connection.

        Raises:
            ProviderError: the provider refused or failed.
            UnknownModel: the configuration lacks what the model needs.
            BadScript: the rehearsal script is invalid.
        """
        ...


_RETRYABLE = frozenset({408, 409, 425, 429})


def retry_helps(status: int) -> bool:
    """True for 408, 409, 425, 429 and 5xx: the same request may succeed later."""
    return status in _RETRYABLE or status >= 500
