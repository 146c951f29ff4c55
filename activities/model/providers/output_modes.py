"""Structured answers: in the provider's own way where it has one, else as the call of a last tool.

Either way the answer's text is the JSON, piece by piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from pydantic import JsonValue
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import (
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.messages import TextPart as TextStart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from relayline.activities.model.port import Prompt, ReasoningPart, TextPart
from relayline.activities.model.providers.prompts import request_parameters
from relayline.activities.model.providers.wire.halves import paired

OUTPUT_TOOL = "final_answer"
"""The last tool; with underscores at its end if the agent has a tool of that name."""
_CALL_IT = "Give the final answer: call this when you are done, with the whole answer."
_COMBINES = "google_supports_tool_combination"


class Asked(NamedTuple):
    """What to send to a provider."""

    parameters: ModelRequestParameters
    output_tool: str = ""
    """The tool whose arguments are the answer; empty: the answer is the text."""


def asking(model: Model, settings: ModelSettings, prompt: Prompt) -> Asked:
    """The tools, the instructions, and how the answer must be.

    Raises:
        UserError: the library can't send that schema at all.
    """
    plain = request_parameters(prompt)
    if prompt.output_schema is None:
        return Asked(plain)
    schema = {name: of for name, of in prompt.output_schema.items() if name != "$schema"}
    native = replace(plain, output_mode="native", output_object=_object(schema))
    if _takes(model, settings, native):
        return Asked(native)
    name = OUTPUT_TOOL
    while any(tool.name == name for tool in prompt.tools):
        name += "_"
    tool = ToolDefinition(
        name=name, description=_CALL_IT, parameters_json_schema=schema, kind="output"
    )
    last = replace(plain, output_mode="tool", output_tools=[tool], allow_text_output=False)
    return Asked(last, name)


def _object(schema: dict[str, JsonValue]) -> OutputObjectDefinition:
    title, description = schema.get("title"), schema.get("description")
    return OutputObjectDefinition(
        json_schema=schema,
        name=re.sub(r"[^a-zA-Z0-9_-]", "_", str(title or "answer"))[:64],
        description=str(description) if description else None,
    )


def _takes(model: Model, settings: ModelSettings, native: ModelRequestParameters) -> bool:
    """True if the provider takes this schema, beside these tools."""
    profile = model.profile
    if not profile.get("supports_json_schema_output"):
        return False
    if model.system.startswith("google") and native.function_tools and not profile.get(_COMBINES):
        return False
    try:
        model.prepare_request(settings, native)
    except (AgentRunError, UserError):  # beyond what the provider allows in a schema
        return False
    return True


class Pieces:
    """Makes pieces of an answer from the library's events.

    With an output tool, the arguments of its first call are the text. Other text is held back until
    it is known what it is: reasoning before such a call, else the text.
    """

    def __init__(self, output_tool: str) -> None:
        self._tool = output_tool
        self._held: list[str] = []
        self._index: int | None = None
        """Of the call that is the answer."""
        self._streamed = False

    def of(self, event: ModelResponseStreamEvent) -> list[TextPart | ReasoningPart]:
        """The text and reasoning that the event tells of; often none, or one piece."""
        piece = _piece(event)
        if not self._tool or isinstance(piece, ReasoningPart):
            return [piece] if piece else []
        if piece:
            self._held.append(piece.text)
            return []
        return self._of_call(event)

    def rest(self) -> list[TextPart | ReasoningPart]:
        """What is left at the end of the answer."""
        if self._index is None:
            return self._release(is_text=True)
        return self._release(is_text=False) + ([] if self._streamed else [TextPart("{}")])

    def _of_call(self, event: ModelResponseStreamEvent) -> list[TextPart | ReasoningPart]:
        match event:
            case PartStartEvent(index=index, part=ToolCallPart(tool_name=name, args=args)):
                if name.strip() != self._tool:
                    return self._release(is_text=True)
                if self._index is not None:
                    return []  # a second answer is none
                self._index = index
                return self._release(is_text=False) + self._text(args)
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=args)):
                return self._text(args) if index == self._index else []
            case _:
                return []

    def _text(self, arguments: str | Mapping[str, object] | None) -> list[TextPart | ReasoningPart]:
        if not arguments:
            return []
        self._streamed = True
        whole = arguments if isinstance(arguments, str) else json.dumps(arguments)
        return [TextPart(paired(whole))]

    def _release(self, *, is_text: bool) -> list[TextPart | ReasoningPart]:
        text, self._held = "".join(self._held), []
        if not text:
            return []
        return [TextPart(text) if is_text else ReasoningPart(text)]


def _piece(event: ModelResponseStreamEvent) -> TextPart | ReasoningPart | None:
    """The text or reasoning in the event, None if it has neither."""
    match event:
        case PartStartEvent(part=TextStart(content=text)):
            return TextPart(paired(text))
        case PartStartEvent(part=ThinkingPart(content=text)):
            return ReasoningPart(paired(text))
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return TextPart(paired(text))
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str(text))):
            return ReasoningPart(paired(text))
        case _:
            return None
