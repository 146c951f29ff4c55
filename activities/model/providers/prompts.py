"""Converts the transcript and the tools to pydantic-ai's types. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from relayline.activities.model.port import Loaded, Prompt
from relayline.activities.model.providers.contents import contents
from relayline.activities.model.providers.keeping import restored
from relayline.contracts.messages import (
    AssistantMessage,
    Message,
    OmittedMessages,
    ToolMessage,
    UserMessage,
)
from relayline.contracts.runs import ToolSpec

_NO_FILES: Mapping[str, Loaded] = MappingProxyType({})
CONTINUE = "(You were interrupted here. Continue.)"
"""Sent to a model whose answer was interrupted, if there is no new message."""

REJECTED = (
    "Your answer does not fit the JSON Schema that was asked for: {why}\n"
    "Answer again: the whole JSON object, and nothing else."
)
"""Sent after an answer that does not fit."""


def model_messages(
    messages: Sequence[Message], model: str = "", files: Mapping[str, Loaded] = _NO_FILES
) -> list[ModelMessage]:
    """The transcript: all messages between two answers are one request; skips empty answers.

    What the model's provider needs back with an answer goes with it (see `keeping.py`).

    It ends with a request, because not every provider accepts an answer as the last message.
    """
    mapped: list[ModelMessage] = []
    parts: list[ModelRequestPart] = []
    shown: list[ModelRequestPart] = []  # what tools returned besides text, behind all their texts
    call_ids: dict[str, str] = {}
    for message in messages:
        match message:
            case UserMessage(parts=said) if said:
                parts.append(UserPromptPart(content=contents(said, model, files)))
            case UserMessage() | OmittedMessages():
                parts.append(UserPromptPart(content=message.text))
            case ToolMessage():
                parts.append(_tool_return(message, call_ids))
                shown += _shown(message, model, files)
            case AssistantMessage(text=text, tool_calls=calls):
                if not text and not calls:
                    continue
                if parts or shown:
                    mapped.append(ModelRequest(parts=[*parts, *shown]))
                mapped.append(_response(message, model, call_ids))
                parts, shown = _rejection(message), []
    return [*mapped, *_last([*parts, *shown], resumed=bool(mapped))]


def _rejection(message: AssistantMessage) -> list[ModelRequestPart]:
    """What is said after an answer that does not fit."""
    if not message.rejected:
        return []
    return [UserPromptPart(content=REJECTED.format(why=message.rejected))]


def _last(parts: list[ModelRequestPart], *, resumed: bool) -> list[ModelMessage]:
    """The request at the end of the transcript."""
    if not parts and resumed:
        parts = [UserPromptPart(content=CONTINUE)]
    return [ModelRequest(parts=parts)] if parts else []


def request_parameters(prompt: Prompt) -> ModelRequestParameters:
    """The tools and the instructions."""
    instructions = prompt.instructions.strip()
    return ModelRequestParameters(
        function_tools=[_tool(spec) for spec in prompt.tools],
        instruction_parts=[InstructionPart(content=instructions)] if instructions else None,
    )


def _tool(spec: ToolSpec) -> ToolDefinition:
    return ToolDefinition(
        name=spec.name,
        description=spec.description or None,
        parameters_json_schema=dict(spec.parameters),
    )


def _tool_return(message: ToolMessage, call_ids: Mapping[str, str]) -> ToolReturnPart:
    return ToolReturnPart(
        tool_name=message.name,
        content=message.output,
        tool_call_id=call_ids.get(message.call_id, message.call_id),
        outcome="failed" if message.is_error else "success",
    )


def _shown(message: ToolMessage, model: str, files: Mapping[str, Loaded]) -> list[ModelRequestPart]:
    """What a tool returned besides text; not every provider takes that as a tool's result."""
    if not message.files:
        return []
    given = contents(message.files, model, files)
    return [UserPromptPart(content=[f"What {message.name} returned:", *given])]


def _response(message: AssistantMessage, model: str, call_ids: dict[str, str]) -> ModelResponse:
    if whole := restored(message, model):
        call_ids.update(whole.call_ids)
        return whole.response
    calls = [
        ToolCallPart(tool_name=call.name, args=dict(call.arguments), tool_call_id=call.call_id)
        for call in message.tool_calls
    ]
    return ModelResponse(
        parts=[*([TextPart(content=message.text)] if message.text else ()), *calls]
    )
