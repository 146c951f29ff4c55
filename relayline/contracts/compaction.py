"""Compaction policies: what becomes of a context that has grown too long."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from relayline.contracts.frozen import Frozen

BYTES_PER_TOKEN = 4
"""A guess, which needs no model's own tokenizer: UTF-8."""


class _Bounds(Frozen):
    """When a context is too long, and how much of it stays.

    Tokens are those of the messages, at `BYTES_PER_TOKEN`; the agent's instructions and tools come
    on top. What has to stay (`activities/model/compaction.py` says what) stays, however long it is.
    """

    over_tokens: int = Field(ge=1)
    """A context with more tokens is compacted before the model is called."""
    keep_tokens: int = Field(ge=0)
    """What it is compacted to, at most; the further below `over_tokens`, the less often."""

    @model_validator(mode="after")
    def _compacts(self) -> Self:
        if self.keep_tokens >= self.over_tokens:
            raise ValueError("keep_tokens is to be less than over_tokens")
        return self


class KeepLast(_Bounds):
    """The oldest messages are left out."""

    kind: Literal["keep_last"] = "keep_last"


class Summarise(_Bounds):
    """The oldest messages are left out, and the agent's model sums them up in their place."""

    kind: Literal["summarise"] = "summarise"
    summary_tokens: int = Field(default=2000, ge=1)
    """Of the summary, at most; part of `keep_tokens`. A longer one is cut."""

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.summary_tokens > self.keep_tokens:
            raise ValueError("summary_tokens is to be no more than keep_tokens")
        return self


Compaction = Annotated[KeepLast | Summarise, Field(discriminator="kind")]
