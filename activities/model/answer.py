"""One answer of a model: as it is streamed, and as it is journaled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, assert_never

from pydantic import ValidationError

from relayline.activities.arguments import bounded, unusable
from relayline.activities.model.deltas import Kind, utf8_size
from relayline.activities.model.guess import guessed
from relayline.activities.model.port import (
    CallPart,
    EmptyAnswer,
    FinishPart,
    ModelPart,
    ModelProvider,
    Prompt,
    ProviderError,
    ReasoningPart,
    TextPart,
)
from relayline.activities.model.steps.listed import Toolset
from relayline.activities.model.tags import ThinkTags
from relayline.activities.strictness import must_be_approved, stricter
from relayline.activities.threads import in_thread
from relayline.catalog.models import is_rehearsal
from relayline.catalog.schemas.schema import mismatch
from relayline.catalog.tools import Tool
from relayline.contracts.calls import (
    MAX_CALLS_PER_STEP,
    ModelResult,
    PlannedCall,
    Question,
    preview,
)
from relayline.contracts.events import MessageCompleted, MessageInterrupted, OutputRejected
from relayline.contracts.keys import call_id
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.runs import ToolSpec
from relayline.projections.words import CALL_PREVIEW_CHARS, call_preview

NAME_CHARS = 64
MAX_ANSWER_BYTES = 1024 * 1024
"""Limit for the text of one answer, and for its reasoning; UTF-8."""
MAX_QUESTIONS_BYTES = 6 * 1024
"""Limit for the questions of one answer in the workflow's history, as JSON."""
_CUT = frozenset({"length", "content_filter"})
"""Reasons that stay although there are calls: none of these calls will run."""


class Audience(Protocol):
    """Receives an answer while it is streamed."""

    async def put(self, kind: Kind, text: str) -> None:
        """Receive the next piece."""
        ...


@dataclass
class Answer:
    """The answer that a provider has streamed so far."""

    texts: list[str] = field(default_factory=list)
    calls: list[CallPart] = field(default_factory=list)
    finish: FinishPart | None = None
    prompt: Prompt | None = None
    """What the provider was asked; None: nothing yet."""
    sizes: dict[Kind, int] = field(default_factory=lambda: {"text": 0, "reasoning": 0})
    """Bytes received so far."""

    async def receive(self, provider: ModelProvider, prompt: Prompt, audience: Audience) -> None:
        """Read the whole answer and pass its text and reasoning on.

        An answer longer than `MAX_ANSWER_BYTES` is cut, and the provider is closed: the answer ends
        with `length`, has no tool calls, and its tokens are estimated.

        Raises:
            ProviderError: raised by the provider; or the answer has no end (a retry may help), or
                the provider withheld it (a retry can't help).
            EmptyAnswer: the answer is empty.
            UnknownModel: raised by the provider.
            BadScript: raised by the provider.
        """
        self.prompt = prompt
        tags = ThinkTags() if prompt.think_tags else None
        async with aclosing(provider.stream(prompt)) as parts:
            async for part in parts:
                if tags:
                    fits = all([await self._take(it, audience) for it in tags.split(part)])
                else:
                    fits = await self._take(part, audience)
                if not fits:
                    self._cut()
                    break
        if self.finish is None:
            raise ProviderError(f"{prompt.model} stopped in mid-answer", retryable=True)
        if self.calls or "".join(self.texts).strip():
            return
        if self.finish.reason == "content_filter":
            raise ProviderError(f"{prompt.model} withheld its answer", retryable=False)
        raise EmptyAnswer(f"{prompt.model} gave an empty answer ({self.finish.reason})")

    async def _take(self, part: ModelPart, audience: Audience) -> bool:
        """Store a part and pass it on; False if it exceeds the limit."""
        match part:
            case TextPart(text=text):
                fitting = self._fitting("text", text)
                self.texts.append(fitting)
                await audience.put("text", fitting)
                return fitting == text
            case ReasoningPart(text=text):
                fitting = self._fitting("reasoning", text)
                await audience.put("reasoning", fitting)
                return fitting == text
            case CallPart():
                self.calls.append(part)
            case FinishPart():
                self.finish = part
            case _:
                assert_never(part)
        return True

    def _fitting(self, kind: Kind, text: str) -> str:
        """The beginning of the text that fits into the limit."""
        size = utf8_size(text)
        room = MAX_ANSWER_BYTES - self.sizes[kind]
        self.sizes[kind] += size
        return text if size <= room else text.encode()[:room].decode("utf-8", "ignore")

    def _cut(self) -> None:
        """End an answer that exceeds the limit."""
        self.calls.clear()
        self.finish = FinishPart("length", self._guessed())

    def _guessed(self) -> Usage:
        """A guess of the tokens so far; none for `rehearsal`, which costs nothing."""
        if self.prompt is None or is_rehearsal(self.prompt.model):
            return Usage()
        return guessed(self.prompt, sum(self.sizes.values()))

    async def completed(self, step: int) -> MessageCompleted:
        """The whole answer as an event.

        Calls beyond `MAX_CALLS_PER_STEP` are left out: the model sees in the transcript which ones
        ran, and may repeat the others in its next step. `arguments.bounded` replaces arguments
        that are too large.
        """
        if self.finish is None:
            raise ValueError("the answer is not complete")
        work = partial(self._completed, step, self.finish)
        return await in_thread(work, (call.arguments for call in self.calls))

    def _completed(self, step: int, finish: FinishPart) -> MessageCompleted:
        calls = self.calls[:MAX_CALLS_PER_STEP]
        arguments = bounded(call.arguments for call in calls)
        return MessageCompleted(
            text="".join(self.texts),
            tool_calls=tuple(
                ToolCall(
                    call_id=call_id(step, index),
                    name=_tool_name(call.name),
                    arguments=arguments[index],
                )
                for index, call in enumerate(calls)
            ),
            finish_reason="tool_calls" if calls and finish.reason not in _CUT else finish.reason,
            usage=finish.usage,
            kept=finish.kept,
        )

    def interrupted(self) -> MessageInterrupted:
        """The text so far, without the tool calls, which will not run; its tokens are a guess."""
        usage = self.finish.usage if self.finish else self._guessed()
        return MessageInterrupted(text="".join(self.texts), usage=usage)


async def model_result(
    body: MessageCompleted | MessageInterrupted,
    toolset: Toolset,
    tools: Mapping[str, Tool],
    rejection: OutputRejected | None = None,
) -> ModelResult:
    """What the workflow needs to know about a message: at most 32 KiB of JSON.

    Args:
        body: The message.
        toolset: The agent and its tools, as pinned in the run.
        tools: The worker's own tools: where they are stricter than the agent's, they count.
        rejection: Why the answer is not the one that was asked for, if it is not.
    """
    work = partial(_result, body, toolset, tools)
    result = await in_thread(work, (call.arguments for call in body.tool_calls))
    if rejection is None:
        return result
    told = {"rejected": preview(rejection.problem), "rejections": rejection.rejections}
    return result.model_copy(update=told)


def _result(
    body: MessageCompleted | MessageInterrupted, toolset: Toolset, tools: Mapping[str, Tool]
) -> ModelResult:
    calls = (_planned(call, toolset, tools) for call in body.tool_calls)
    return ModelResult(
        finish_reason=body.finish_reason,
        calls=tuple(_bounded_questions(calls)),
        usage=Usage() if isinstance(body, MessageInterrupted) else body.usage,
        preview=preview(body.text),
        interrupted=isinstance(body, MessageInterrupted),
    )


def _planned(call: ToolCall, toolset: Toolset, tools: Mapping[str, Tool]) -> PlannedCall:
    """The call for the workflow; the tool of an MCP server is none of the worker's own."""
    own = None if call.name in toolset.mcp else tools.get(call.name)
    plan = planned(call, toolset.agent.tool(call.name), own)
    return plan.model_copy(update={"mcp": toolset.plan(call.name)})


def planned(call: ToolCall, pinned: ToolSpec | None, own: Tool | None = None) -> PlannedCall:
    """The call for the workflow; decides whether it needs an approval or asks a question.

    The stricter of the pinned spec and the worker's own tool decides. A call with invalid or
    unusable arguments needs no person: it fails before anything runs.
    """
    plan = PlannedCall(call_id=call.call_id, name=call.name, preview=call_preview(call.arguments))
    if pinned is None or unusable(call.arguments) or mismatch(pinned.parameters, call.arguments):
        return plan
    spec = own.spec if own else None
    strict = stricter(pinned, spec)
    if not strict.asks:
        approval = must_be_approved(pinned, spec, call.arguments)
        unsafe = strict.effects != pinned.effects
        return plan.model_copy(update={"approval": approval, "unsafe": unsafe})
    given = {name: value for name, value in call.arguments.items() if value is not None}
    try:
        question = Question.model_validate(given)
    except ValidationError:
        return plan
    asked = preview(str(given.get("question", "")), CALL_PREVIEW_CHARS)
    return plan.model_copy(update={"question": question, "preview": asked})


def _bounded_questions(calls: Iterable[PlannedCall]) -> Iterable[PlannedCall]:
    """The calls, without questions beyond `MAX_QUESTIONS_BYTES`; those calls then fail."""
    room = MAX_QUESTIONS_BYTES
    for call in calls:
        size = len(call.question.model_dump_json().encode()) if call.question else 0
        fits = size <= room
        room -= size if fits else 0
        yield call if fits else call.model_copy(update={"question": None})


def _tool_name(name: str) -> str:
    """The name with only characters that every provider accepts in a transcript."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:NAME_CHARS] or "_"
