"""Events of model calls: answers, deltas and failed attempts."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Kept, ToolCall, Usage
from relayline.contracts.runs import RunError
from relayline.contracts.runs.output import OutputType, is_text


class StepStarted(Frozen):
    """A model call begins."""

    type: Literal["step.started"] = "step.started"
    kind: Literal["model"] = "model"
    """Always `model`."""
    model: str
    """The model that is asked: the run's own, or one that it has fallen back to in this turn."""
    turn: int | None = None
    """The turn that it belongs to; only in an open run."""


class MessageDelta(Frozen):
    """A piece of text, as the model streamed it."""

    type: Literal["message.delta"] = "message.delta"
    text: str
    """What follows the deltas before it, of the same step and attempt."""


class ReasoningDelta(Frozen):
    """A piece of reasoning, as the model streamed it; not part of the transcript."""

    type: Literal["reasoning.delta"] = "reasoning.delta"
    text: str
    """What follows the reasoning before it, of the same step and attempt."""


class MessageCompleted(Frozen):
    """The model's whole answer in this step; replaces its deltas."""

    type: Literal["message.completed"] = "message.completed"
    text: str
    """The whole text; empty if the model only called tools."""
    tool_calls: tuple[ToolCall, ...] = ()
    """The calls that the model asks for, at most 32."""
    finish_reason: str
    """`stop`, `tool_calls`, `length`, `content_filter` or `other`."""
    usage: Usage = Usage()
    """Of this model call, and of the summaries that it needed."""
    kept: Kept | None = Field(default=None, exclude_if=lambda kept: kept is None)
    """For the provider alone, which gets it back with the message; left out if there is nothing."""
    output_type: OutputType = Field(default="text", exclude_if=is_text)
    """`json`: the text is JSON that fits the agent's output schema; left out otherwise."""


class OutputRejected(Frozen):
    """The answer of this step does not fit the output schema; the model reads why, and retries."""

    type: Literal["output.rejected"] = "output.rejected"
    problem: str
    """What the model reads: where the answer does not fit, or why it is no JSON."""
    rejections: int
    """How many answers did not fit since the newest message of a person."""
    allowed: int
    """At so many the run fails as `output-invalid`."""


class MessageInterrupted(Frozen):
    """The text so far of an answer that a command interrupted; replaces its deltas."""

    type: Literal["message.interrupted"] = "message.interrupted"
    text: str
    """What the model had said when it was interrupted."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Always empty: no call of an interrupted answer runs."""
    finish_reason: str = "interrupted"
    """Always `interrupted`."""
    usage: Usage = Usage()
    """Often a guess; the next `message.completed` includes it."""


class AttemptSuperseded(Frozen):
    """The deltas of an earlier attempt are void."""

    type: Literal["attempt.superseded"] = "attempt.superseded"
    attempt: int
    """The attempt that is void."""
    from_seq: int
    """`seq` of the first void delta."""
    to_seq: int
    """`seq` of the last void delta."""
    reason: str
    """The error type of its failure, or `the worker stopped in mid-answer`."""


class AttemptFailed(Frozen):
    """A model call failed and will be retried."""

    type: Literal["attempt.failed"] = "attempt.failed"
    error: RunError
    """What failed."""
    retry_in_s: float | None = None
    """Seconds until the retry: as the provider asks, otherwise exponential backoff."""


class ModelFallback(Frozen):
    """A model is unavailable, and the step asks another one; so do later steps of the turn."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    type: Literal["model.fallback"] = "model.fallback"
    from_: str = Field(alias="from")
    """The model that is unavailable; the envelope's `attempt` is its last."""
    to: str
    """The model that is asked now."""
    reason: str
    """Why, in words: how often the provider failed, and its latest message."""


class AttemptLost(Frozen):
    """An earlier attempt of a model or tool call began and left no end: its worker is gone."""

    type: Literal["attempt.lost"] = "attempt.lost"
    attempt: int
    """The attempt that is lost."""
    call_id: str | None = None
    """The tool call; null for the step's model call."""
    name: str | None = None
    """The tool; null for a model call."""
    losses: int
    """How many attempts of this call are lost so far."""
    counted: int
    """Those that count against the call: it was a suspect, and no other ran on its worker."""
    allowed: int
    """At so many counted losses the call fails as `worker-lost`."""


class ContextCompacted(Frozen):
    """From here on the model sees a shortened context; the journal keeps everything.

    Each such event replaces the previous one.
    """

    type: Literal["context.compacted"] = "context.compacted"
    kind: Literal["keep_last", "summarise"]
    """What was done: `keep_last` also when the policy asks for a summary and there is none."""
    kept_from: int
    """The model sees every message from this `seq` on."""
    kept: tuple[int, ...] = ()
    """`seq` of earlier user messages that it also sees."""
    left_out: int = 0
    """Number of messages and results that this event leaves out."""
    summary: str = ""
    """Replaces what is left out; empty: the model only sees that something is left out."""
    before_tokens: int = 0
    """Estimated tokens of the messages that the model would see without it."""
    after_tokens: int = 0
    """Estimated tokens of the messages that it sees now: 4 bytes are one token."""
    usage: Usage = Usage()
    """Usage of the summary; the next `message.completed` includes it."""
    reason: str | None = None
    """Why there is no new summary although the policy asks for one."""
