"""The messages of a run's transcript, and token usage."""

from __future__ import annotations

import operator
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from relayline.contracts.files.parts import FilePart, Part
from relayline.contracts.frozen import Frozen
from relayline.contracts.money import Cost


class Usage(Frozen):
    """Token counts, as reported by the provider."""

    input_tokens: int = 0
    """Tokens that the model read."""
    output_tokens: int = 0
    """Tokens that the model wrote."""
    cached_tokens: int = Field(default=0, exclude_if=operator.not_)
    """Input tokens that the provider had in its cache, a part of `input_tokens`; left out if there
    are none."""
    cache_write_tokens: int = Field(default=0, exclude_if=operator.not_)
    """Input tokens that the provider has put into its cache, which some bill higher; a part of
    `input_tokens`, left out if there are none."""
    reasoning_tokens: int = Field(default=0, exclude_if=operator.not_)
    """Output tokens that were reasoning, a part of `output_tokens`; left out if none are told."""
    cost: Cost | None = Field(default=None, exclude_if=operator.not_)
    """What the tokens cost when the calls ended; left out if the price of some is not known."""
    estimated: bool = Field(default=False, exclude_if=operator.not_)
    """True if the provider did not report all of them, so that some are a guess from the text; left
    out otherwise."""

    def __add__(self, other: Usage) -> Usage:
        """The sum of both; without a cost if either has tokens of an unknown price."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cost=self._cost_with(other),
            estimated=self.estimated or other.estimated,
        )

    def _cost_with(self, other: Usage) -> Cost | None:
        """The cost of both; a usage of no tokens adds nothing."""
        known = [it for it in (self, other) if it.cost is not None or it.total_tokens]
        costs = [it.cost for it in known if it.cost is not None]
        if not costs or len(costs) < len(known):
            return None
        return costs[0] if len(costs) == 1 else costs[0] + costs[1]

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class UsageSum(Frozen):
    """Tokens and cost of several runs together."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: Cost | None = Field(default=None, exclude_if=operator.not_)
    """The exact sum over the runs whose cost is known; left out if there are none."""
    unpriced_runs: int = Field(default=0, exclude_if=operator.not_)
    """Runs with tokens whose price is not known, so that their cost is not in the sum; left out if
    there are none."""
    estimated: bool = Field(default=False, exclude_if=operator.not_)
    """True if some of the tokens are a guess; left out otherwise."""

    @classmethod
    def of(cls, usage: Usage) -> UsageSum:
        """The usage of one run."""
        return cls(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=usage.cost,
            unpriced_runs=int(usage.cost is None and usage.total_tokens > 0),
            estimated=usage.estimated,
        )

    def __add__(self, other: UsageSum) -> UsageSum:
        """The sum of both."""
        mine, theirs = self.cost, other.cost
        return UsageSum(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=mine + theirs if mine and theirs else mine or theirs,
            unpriced_runs=self.unpriced_runs + other.unpriced_runs,
            estimated=self.estimated or other.estimated,
        )


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
    parts: tuple[Part, ...] = ()
    """All of it, if it is more than a text."""


class AssistantMessage(Frozen):
    """An answer of the model, with the tool calls that it asked for."""

    role: Literal["assistant"] = "assistant"
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    interrupted: bool = False
    """True when a command interrupted the model."""
    kept: Kept | None = None
    rejected: str = ""
    """Why the text is not the answer that was asked for; the model reads it next."""


class ToolMessage(Frozen):
    """The result of a tool call."""

    role: Literal["tool"] = "tool"
    call_id: str
    name: str
    output: str
    is_error: bool = False
    files: tuple[FilePart, ...] = ()
    """What the tool returned besides text."""


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
