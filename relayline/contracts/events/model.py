"""Events of model calls: what a model says, attempt by attempt."""

from __future__ import annotations

from typing import Literal

from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.runs import RunError


class StepStarted(Frozen):
    """A model call begins."""

    type: Literal["step.started"] = "step.started"
    kind: Literal["model"] = "model"
    model: str


class MessageDelta(Frozen):
    """A piece of text, as it came."""

    type: Literal["message.delta"] = "message.delta"
    text: str


class ReasoningDelta(Frozen):
    """A piece of reasoning, as it came; not part of the transcript."""

    type: Literal["reasoning.delta"] = "reasoning.delta"
    text: str


class MessageCompleted(Frozen):
    """The model's whole answer of this step; replaces its deltas."""

    type: Literal["message.completed"] = "message.completed"
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str
    usage: Usage = Usage()


class MessageInterrupted(Frozen):
    """The text so far of an answer that a command stopped; replaces its deltas."""

    type: Literal["message.interrupted"] = "message.interrupted"
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "interrupted"
    usage: Usage = Usage()


class AttemptSuperseded(Frozen):
    """What an earlier attempt streamed counts no more."""

    type: Literal["attempt.superseded"] = "attempt.superseded"
    attempt: int
    """The attempt that is void."""
    from_seq: int
    to_seq: int
    reason: str


class AttemptFailed(Frozen):
    """A model call failed and is tried again."""

    type: Literal["attempt.failed"] = "attempt.failed"
    error: RunError
    retry_in_s: float | None = None
    """Seconds: what the provider asked for, else longer after each failure."""


class ContextCompacted(Frozen):
    """From here on the model is told less of what was said; the journal keeps all of it.

    Each such event replaces the one before.
    """

    type: Literal["context.compacted"] = "context.compacted"
    kind: Literal["keep_last", "summarise"]
    """What was done: `keep_last` also where a summary was wanted and could not be had."""
    kept_from: int
    """`seq` of the oldest message from which on the model is told everything."""
    kept: tuple[int, ...] = ()
    """`seq` of earlier messages of people that it is told as well."""
    left_out: int = 0
    """Messages and results that it was told before and is told no more."""
    summary: str = ""
    """What it is told in place of all that is left out; empty: only that something is."""
    before_tokens: int = 0
    after_tokens: int = 0
    """Of the messages, before and after: a guess, see `relayline/contracts/compaction.py`."""
    usage: Usage = Usage()
    """Of the summary; the next `message.completed` has it in its own."""
    reason: str | None = None
    """Why there is no new summary although one was wanted."""
