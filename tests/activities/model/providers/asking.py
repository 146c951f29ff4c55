"""Short ways to ask a provider."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing

from relayline.activities.model.port import (
    CallPart,
    FinishPart,
    ModelPart,
    ModelProvider,
    Prompt,
    ReasoningPart,
    TextPart,
)
from relayline.contracts.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from relayline.contracts.runs import ToolSpec


def tool(name: str, argument: str) -> ToolSpec:
    schema = {"type": "object", "properties": {argument: {"type": "string"}}}
    return ToolSpec(
        name=name, description=f"does {name}", parameters={**schema, "required": [argument]}
    )


TOOLS = (tool("read_file", "path"), tool("calculate", "expression"), tool("search_files", "query"))


def prompt(
    *said: str | Message,
    model: str = "rehearsal",
    tools: tuple[ToolSpec, ...] = TOOLS,
    attempt: int = 1,
    instructions: str = "Be brief.",
) -> Prompt:
    messages = tuple(UserMessage(text=it) if isinstance(it, str) else it for it in said)
    return Prompt(model, instructions, messages, tools, attempt)


async def ask(provider: ModelProvider, asked: Prompt) -> list[ModelPart]:
    async with aclosing(provider.stream(asked)) as parts:
        return [part async for part in parts]


def text_of(parts: Iterable[ModelPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def thoughts_of(parts: Iterable[ModelPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, ReasoningPart))


def calls_of(parts: Iterable[ModelPart]) -> list[CallPart]:
    return [part for part in parts if isinstance(part, CallPart)]


def finish_of(parts: list[ModelPart]) -> FinishPart:
    assert isinstance(parts[-1], FinishPart)
    return parts[-1]


def answered(
    parts: list[ModelPart], outputs: Iterable[str] = (), *, step: int = 1
) -> list[Message]:
    """The transcript that follows: the answer, and what its calls returned."""
    calls = tuple(
        ToolCall(call_id=f"call_{step}_{index}", name=part.name, arguments=part.arguments)
        for index, part in enumerate(calls_of(parts))
    )
    results = [
        ToolMessage(call_id=call.call_id, name=call.name, output=output)
        for call, output in zip(calls, outputs, strict=True)
    ]
    return [AssistantMessage(text=text_of(parts), tool_calls=calls), *results]
