"""What each provider takes of `ModelSettings`, as pydantic-ai 2.68 sends it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from relayline.catalog.models import UnknownModelName, parse_model
from relayline.contracts.runs import ModelSettings

LACKING: Mapping[str, frozenset[str]] = {
    "openai": frozenset({"seed", "stop"}),
    "anthropic": frozenset({"seed"}),
    "google": frozenset({"parallel_tool_calls"}),
    "ollama": frozenset({"parallel_tool_calls", "tool_choice"}),
    "local": frozenset({"parallel_tool_calls", "reasoning_effort", "tool_choice"}),
}
"""Settings that a provider has no field for, or says that it ignores. Those of an
OpenAI-compatible server are not known: it gets all of them. `local` sees no tools and does not
reason."""
MAX_TEMPERATURE: Mapping[str, float] = {"anthropic": 1.0}


class Misfit(NamedTuple):
    """A setting that a model's provider can't take."""

    field: str
    why: str
    limit: float | None = None
    """The most that it takes, where that is what is wrong."""


def misfit_of(settings: ModelSettings, models: Iterable[str]) -> Misfit | None:
    """The first setting that the provider of one of these models can't take; None if all can.

    Args:
        settings: How the models are asked.
        models: Names of a known form.
    """
    given = {name for name, it in settings if it is not None}
    for model in models:
        provider = parse_model(model).provider
        if lacking := sorted(given & LACKING.get(provider, frozenset())):
            return Misfit(lacking[0], f"{model} takes no {lacking[0]}")
        most = MAX_TEMPERATURE.get(provider)
        if most is not None and (settings.temperature or 0) > most:
            why = f"{model} takes at most {most:g}, not {settings.temperature:g}"
            return Misfit("temperature", why, most)
    return None


def unknown_in(models: Iterable[str]) -> str | None:
    """Why one of these is no name of a model, or stands there twice; None if all are."""
    seen: set[str] = set()
    for model in models:
        try:
            parse_model(model)
        except UnknownModelName as error:
            return str(error)
        if model in seen:
            return f"{model!r} is listed twice"
        seen.add(model)
    return None
