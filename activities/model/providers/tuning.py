"""How pydantic-ai is told a prompt's settings, so that it drops none of them silently."""

from __future__ import annotations

from typing import Literal, cast

from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.settings import ModelSettings, ThinkingLevel

from relayline.activities.model.port import Prompt, ProviderError
from relayline.catalog.models import parse_model
from relayline.contracts.messages import UserMessage
from relayline.contracts.runs import ModelSettings as Wanted

_Choice = Literal["auto", "none", "required"]
_BY_LEVEL = frozenset({"anthropic", "google"})
"""Providers whose own words for reasoning the library knows; all others get the effort as it is."""


def library_settings(prompt: Prompt, model: Model) -> ModelSettings:
    """The prompt's settings in the library's words.

    Args:
        prompt: With the settings.
        model: The model that will be asked.

    Raises:
        ProviderError: the library knows that the model does not take one of them, and would leave
            it out; no retry can help.
    """
    wanted = prompt.settings
    if missing := _missing(prompt.model, wanted, model):
        text = f"{prompt.model} takes no {missing} (settings.{missing} of the agent or the run)"
        raise ProviderError(text, retryable=False)
    told = ModelSettings()
    if wanted.temperature is not None:
        told["temperature"] = wanted.temperature
    if wanted.max_output_tokens is not None:
        told["max_tokens"] = wanted.max_output_tokens
    if wanted.stop is not None:
        told["stop_sequences"] = [*wanted.stop]
    if wanted.seed is not None:
        told["seed"] = wanted.seed
    if wanted.parallel_tool_calls is not None:
        told["parallel_tool_calls"] = wanted.parallel_tool_calls
    if wanted.tool_choice is not None:
        told["tool_choice"] = _tool_choice(prompt, wanted.tool_choice)
    return {**told, **_reasoning(prompt.model, wanted), **_caching(prompt)}


def _tool_choice(prompt: Prompt, wanted: _Choice) -> _Choice:
    """`required` ends with the first answer: a model that must go on calling never answers."""
    answering = bool(prompt.messages) and isinstance(prompt.messages[-1], UserMessage)
    return "auto" if wanted == "required" and not answering else wanted


def _reasoning(model: str, wanted: Wanted) -> ModelSettings:
    effort = wanted.reasoning_effort
    if effort is None:
        return {}
    if parse_model(model).provider not in _BY_LEVEL:
        return OpenAIChatModelSettings(openai_reasoning_effort=effort)
    level: ThinkingLevel = False if effort == "none" else effort
    return {"thinking": level}


def _caching(prompt: Prompt) -> ModelSettings:
    """Break points behind tools, instructions and the newest message, where they must be asked for.

    A summary has none: no other call begins like it.
    """
    wanted = prompt.settings.cache and prompt.purpose == "answer"
    return {"cache": True} if wanted and parse_model(prompt.model).provider == "anthropic" else {}


def _missing(name: str, wanted: Wanted, model: Model) -> str | None:
    """The setting that the library would leave out."""
    profile, effort = model.profile, wanted.reasoning_effort
    provider = parse_model(name).provider
    thinks = profile.get("supports_thinking") or profile.get("thinking_always_enabled")
    if effort is not None and provider in _BY_LEVEL and not thinks:
        return "reasoning_effort"
    if wanted.temperature is None:
        return None
    if profile.get("anthropic_disallows_sampling_settings"):
        return "temperature"
    if provider == "openai" and profile.get("openai_supports_reasoning"):
        reasons = profile.get("thinking_enabled_by_default") if effort is None else effort != "none"
        if reasons or not _can_rest(cast("OpenAIModelProfile", profile)):
            return "temperature"
    return None


def _can_rest(profile: OpenAIModelProfile) -> bool:
    """True for a model that can answer without reasoning."""
    efforts = profile.get("openai_reasoning_efforts")
    if efforts is not None:
        return "none" in efforts
    return profile.get("openai_supports_reasoning_effort_none", False)
