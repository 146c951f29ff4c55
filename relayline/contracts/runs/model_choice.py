"""Which models an agent may use, and how they are asked."""

from __future__ import annotations

import operator
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from relayline.contracts.frozen import Frozen

MAX_STOPS = 4
"""Texts of `stop`: the most that every provider with this setting takes."""
MAX_FALLBACKS = 8
MAX_TIMEOUT_S = 1800.0
"""A model call's activity may take two minutes more, for a slot of its provider."""
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)
_Stop = Annotated[str, StringConstraints(min_length=1, max_length=100)]


def _is_none(value: object) -> bool:
    return value is None


class ModelSettings(Frozen):
    """How a model is asked; what is None is left to the provider.

    What a provider can't take is refused when the run is submitted, or fails the call as
    `model-refused` where only the provider's library or the provider itself knows.
    """

    temperature: float | None = Field(default=None, ge=0, le=2, exclude_if=_is_none)
    """0: nearly always the likeliest word; at most 1 with Anthropic."""
    max_output_tokens: int | None = Field(default=None, ge=1, le=1_000_000, exclude_if=_is_none)
    """The longest answer in tokens, reasoning included; a longer one ends as `length`."""
    reasoning_effort: Effort | None = Field(default=None, exclude_if=_is_none)
    """How much a model with reasoning thinks; `none`: not at all, or as little as it can."""
    tool_choice: Literal["auto", "none", "required"] | None = Field(
        default=None, exclude_if=_is_none
    )
    """`none`: no tools. `required`: the model must call one before it answers a message; once it
    has, it is free to."""
    parallel_tool_calls: bool | None = Field(default=None, exclude_if=_is_none)
    """False: at most one tool call in an answer."""
    stop: tuple[_Stop, ...] | None = Field(
        default=None, min_length=1, max_length=MAX_STOPS, strict=False, exclude_if=_is_none
    )
    """The answer ends before the first of these texts."""
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1, exclude_if=_is_none)
    """For answers that repeat themselves, as far as the provider promises that."""
    timeout_s: float | None = Field(default=None, gt=0, le=MAX_TIMEOUT_S, exclude_if=_is_none)
    """Seconds that one attempt of a model call may take, to the last word; a longer one fails as
    `model-unavailable` and is tried again."""
    cache: bool = True
    """Have the provider keep what is the same in the next call, where it must be asked to
    (Anthropic); others do it by themselves."""


class ModelChoice(Frozen):
    """The models of an agent beside its own one, and how they are asked."""

    settings: ModelSettings = Field(
        default=ModelSettings(), exclude_if=lambda it: it == ModelSettings()
    )
    """How its models are asked; left out if all is left to the provider."""
    fallbacks: tuple[str, ...] = Field(
        default=(), max_length=MAX_FALLBACKS, exclude_if=operator.not_
    )
    """Models that are asked, in this order, when its own is unavailable; left out if none."""
    models: tuple[str, ...] | None = Field(default=None, exclude_if=_is_none)
    """The models, beside its own, that a request may name; left out: any."""
