"""A run whose context has grown too long, and providers that sum it up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from relayline.activities.model.port import ModelPart, ModelProvider, Prompt, ProviderError
from relayline.contracts.compaction import Compaction, KeepLast, Summarise
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    ContextCompacted,
    EventBody,
    MessageCompleted,
    StepStarted,
    ToolCompleted,
    UserMessageEvent,
)
from relayline.contracts.messages import ToolCall, Usage
from relayline.journal.port import Journal
from tests.activities.model.model_calls import Run

LAST = KeepLast(over_tokens=250, keep_tokens=150)
SUM_UP = Summarise(over_tokens=250, keep_tokens=150, summary_tokens=20)
USED = Usage(input_tokens=3, output_tokens=2)
REFUSED = ProviderError("context length exceeded", retryable=False, status=400)
BUSY = ProviderError("too many requests", retryable=True, status=429)


class Two:
    """Answers with one provider, sums up with another."""

    def __init__(self, answer: ModelProvider, summary: ModelProvider) -> None:
        self._answer = answer
        self._summary = summary

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        chosen = self._summary if prompt.purpose == "summary" else self._answer
        async with aclosing(chosen.stream(prompt)) as parts:
            async for part in parts:
                yield part


async def grown(journal: Journal, policy: Compaction | None, steps: int = 4) -> Run:
    """A run that has called a tool in each of some steps; each is about 70 tokens."""
    run = Run(journal)
    run.agent = run.agent.model_copy(update={"compaction": policy})
    await add(run, "0/message/0", UserMessageEvent(text="hi"))
    for step in range(1, steps + 1):
        await grow(run, step)
    return run


async def grow(run: Run, step: int) -> None:
    call = ToolCall(call_id=f"call_{step}_0", name="look")
    asks = MessageCompleted(text=f"step {step}", tool_calls=(call,), finish_reason="tool_calls")
    returns = ToolCompleted(call_id=call.call_id, name="look", output=f"{step}" * 240)
    await add(run, f"0/step/{step}/started", StepStarted(model="m"), step)
    await add(run, f"0/step/{step}/message", asks, step)
    await add(run, f"0/call/{call.call_id}/result", returns, step)


async def add(run: Run, key: str, body: EventBody, step: int | None = None) -> None:
    await run.journal.append(run.id, [NewEvent(key=key, body=body, step=step)])


async def compactions(run: Run) -> list[ContextCompacted]:
    bodies = await run.bodies("context.compacted")
    return [body for body in bodies if isinstance(body, ContextCompacted)]


def outputs(prompt: Prompt) -> list[str]:
    return [it.output[0] for it in prompt.messages if it.role == "tool"]


async def grow_after(run: Run, step: int) -> None:
    """Another call with its result, so that the next step has more to be told."""
    call = ToolCall(call_id=f"call_{step}_9", name="look")
    asks = MessageCompleted(text="more", tool_calls=(call,), finish_reason="tool_calls")
    returns = ToolCompleted(call_id=call.call_id, name="look", output=f"{step}" * 240)
    await add(run, f"test/{step}/message", asks, step)
    await add(run, f"test/{step}/result", returns, step)
