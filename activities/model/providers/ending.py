"""Decides how an answer ended, by what was on the wire. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import JsonValue
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.usage import RequestUsage
from pydantic_core import from_json

from relayline.activities.arguments import cut_off, malformed
from relayline.activities.model.guess import guessed_input, guessed_output
from relayline.activities.model.port import CallPart, FinishPart, ModelPart, Prompt, ProviderError
from relayline.activities.model.providers.keeping import kept
from relayline.activities.model.providers.wire.halves import paired
from relayline.activities.model.providers.wire.heard import Heard
from relayline.contracts.messages import Usage

_LIBRARY = {"stop": "stop", "length": "length", "content_filter": "content_filter"}
"""The library's reasons, for answers that were not heard on the wire."""
_WHOLE = frozenset({"stop", "tool_calls"})
"""After these reasons every call is whole."""
_CUT = frozenset({"length", "content_filter"})
"""After these reasons no call is known to be whole."""


class _Asked(NamedTuple):
    """A tool call as the provider sent it."""

    name: str
    arguments: object


def ending(
    response: ModelResponse,
    heard: Heard,
    prompt: Prompt,
    size_bytes: int,
    output_tool: str = "",
) -> list[ModelPart]:
    """The tool calls and the end of the answer.

    A call counts only if the provider has said that it is whole: by its finish reason or, if it
    gave none that we know, by arguments that are a JSON object. Of other calls the arguments are
    replaced (`arguments.cut_off`), so that the model is told and nothing runs.

    Args:
        response: What the library made of the answer.
        heard: What was on the wire.
        prompt: The question, for a guess of its tokens.
        size_bytes: Bytes of text and reasoning.
        output_tool: Calls of this tool are the answer, and no calls.

    Raises:
        ProviderError: the provider broke off, or ended the answer with an error.
    """
    reason = _reason(response, heard, prompt.model)
    every = _asked(response, heard)
    asked = [it for it in every if it.name.strip() != output_tool]
    answered = len(asked) < len(every)
    calls = [CallPart(paired(it.name).strip(), _arguments(it.arguments, reason)) for it in asked]
    size_bytes += sum(len(it.name) + len(str(it.arguments or "")) for it in asked)
    usage = _usage(response, heard, prompt, size_bytes)
    if reason == "content_filter" and heard.why and not (calls or size_bytes):
        text = f"{prompt.model} withheld its answer{_why(heard)}"
        raise ProviderError(text, retryable=False)
    if calls and reason not in _CUT:
        reason = "tool_calls"
    elif answered and reason == "tool_calls":
        reason = "stop"
    # with its call gone, such an answer could not go back as it came
    state = None if reason in _CUT or answered else kept(response, heard, prompt.model)
    return [*calls, FinishPart(reason, usage, state)]


def _reason(response: ModelResponse, heard: Heard, model: str) -> str:
    if not heard.listening:
        if response.state != "complete" or response.finish_reason == "error":
            raise ProviderError(f"{model} broke off in mid-answer", retryable=True)
        return _LIBRARY.get(
            response.finish_reason or "", "stop" if not response.finish_reason else "other"
        )
    if not heard.ended:
        raise ProviderError(f"{model} broke off in mid-answer", retryable=True)
    if heard.reason == "error":
        text = f"{model} ended its answer with the finish reason {paired(heard.word)[:100]!r}"
        raise ProviderError(text + _why(heard), retryable=True)
    return heard.reason


def _why(heard: Heard) -> str:
    return f": {paired(heard.why)}" if heard.why else ""


def _asked(response: ModelResponse, heard: Heard) -> Sequence[_Asked]:
    if heard.calls is not None:
        return [_Asked(call.name, call.text) for call in heard.calls]
    parts = (part for part in response.parts if isinstance(part, ToolCallPart))
    return [_Asked(part.tool_name, part.args) for part in parts]


def _arguments(given: object, reason: str) -> dict[str, JsonValue]:
    """A call's arguments, or what replaces those that are cut off or not a JSON object."""
    text = paired(given) if isinstance(given, str) else ""
    if reason in _CUT:
        return cut_off(text or (str(given) if given else ""))
    if not given or (isinstance(given, str) and not given.strip()):
        return {} if reason in _WHOLE else cut_off("")
    arguments = next((it for it in _read(text or given) if isinstance(it, dict)), None)
    if arguments is not None:
        return arguments
    return malformed(text or str(given)) if reason in _WHOLE else cut_off(text or str(given))


def _read(given: object) -> Iterator[object]:
    """The arguments as JSON; some servers encode them twice."""
    if not isinstance(given, str):
        yield given
        return
    try:
        value = from_json(given, allow_inf_nan=False)
        yield value
        if isinstance(value, str):
            yield from_json(value, allow_inf_nan=False)
    except ValueError:
        return


def _usage(response: ModelResponse, heard: Heard, prompt: Prompt, size_bytes: int) -> Usage:
    """What the provider counted; a guess for what it left out, or can't be."""
    counted = response.usage
    if not heard.listening:
        usage = Usage(input_tokens=counted.input_tokens, output_tokens=counted.output_tokens)
        return _with_parts(usage, counted)
    taken, made = heard.input_tokens, heard.output_tokens
    no_input, no_output = not taken, made is None or (made == 0 and size_bytes > 0)
    usage = Usage(
        input_tokens=guessed_input(prompt) if no_input else taken or 0,
        output_tokens=guessed_output(size_bytes) if no_output else made or 0,
        estimated=no_input or no_output,
    )
    return usage if usage.estimated else _with_parts(usage, counted)


def _with_parts(usage: Usage, counted: RequestUsage) -> Usage:
    """The usage with the parts of it that the provider names, never more than the whole."""
    reasoning = counted.output_reasoning_tokens or counted.details.get("reasoning_tokens", 0)
    cached = min(max(counted.cache_read_tokens, 0), usage.input_tokens)
    parts = {
        "cached_tokens": cached,
        "cache_write_tokens": min(max(counted.cache_write_tokens, 0), usage.input_tokens - cached),
        "reasoning_tokens": min(max(reasoning, 0), usage.output_tokens),
    }
    return usage.model_copy(update=parts)
