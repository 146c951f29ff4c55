"""Compaction policies: how to shorten a context that has grown too long."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from relayline.contracts.frozen import Frozen

BYTES_PER_TOKEN = 4
"""An estimate in UTF-8 bytes that needs no model's tokenizer."""


class _Bounds(Frozen):
    """When a context is too long, and how much of it to keep.

    Tokens are counted over the messages, at `BYTES_PER_TOKEN`, without the agent's instructions
    and tools. Messages that must stay (see `activities/model/compaction.py`) stay, whatever their
    length.
    """

    over_tokens: int = Field(ge=1)
    """A context with more tokens is compacted before the model is called."""
    keep_tokens: int = Field(ge=0)
    """Its largest size after compaction; a lower value makes compactions rarer."""

    @model_validator(mode="after")
    def _compacts(self) -> Self:
        if self.keep_tokens >= self.over_tokens:
            raise ValueError("keep_tokens must be less than over_tokens")
        return self


class KeepLast(_Bounds):
    """Leave out the oldest messages."""

    kind: Literal["keep_last"] = "keep_last"


class Summarise(_Bounds):
    """Replace the oldest messages with a summary by the agent's model."""

    kind: Literal["summarise"] = "summarise"
    summary_tokens: int = Field(default=2000, ge=1)
    """The longest summary, which counts towards `keep_tokens`; a longer one is cut."""

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.summary_tokens > self.keep_tokens:
            raise ValueError("summary_tokens must not exceed keep_tokens")
        return self


Compaction = Annotated[KeepLast | Summarise, Field(discriminator="kind")]
