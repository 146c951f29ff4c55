"""What the workflow hands to its activities and what they hand back; small on purpose."""

from __future__ import annotations

from typing import Literal

from contracts.envelope import Outbox
from contracts.frozen import Frozen
from contracts.messages import Usage
from contracts.runs import AgentSpec, ToolSpec

PREVIEW_CHARS = 500
"""Characters of a text that may stand in Temporal's history."""
MAX_CALLS_PER_STEP = 32
"""Tool calls that one model answer may ask for."""


class ModelRequest(Frozen):
    """One model call; the transcript is read from the journal."""

    run_id: str
    epoch: int
    step: int
    agent: AgentSpec
    outbox: Outbox = Outbox()


class PlannedCall(Frozen):
    """A tool call as the workflow sees it."""

    call_id: str
    name: str
    preview: str = ""
    """`path=README.md, …`, at most 120 characters, for people."""


class ModelResult(Frozen):
    """What the workflow has to know of a model's answer."""

    finish_reason: str
    calls: tuple[PlannedCall, ...] = ()
    usage: Usage = Usage()
    preview: str = ""
    """The first 500 characters of the text."""
    interrupted: bool = False
    """True when cancellation stopped the call; the text so far is journaled."""


class ToolRequest(Frozen):
    """One tool call; the arguments are read from the step's message in the journal."""

    run_id: str
    epoch: int
    step: int
    call: PlannedCall
    tool: ToolSpec | None
    """None: the agent has no such tool; the call fails and the model is told."""
    outbox: Outbox = Outbox()


class ToolOutcome(Frozen):
    """How a tool call ended when it ended well, or was stopped."""

    call_id: str
    status: Literal["completed", "cancelled"] = "completed"
    preview: str = ""
    truncated: bool = False


class RecordRequest(Frozen):
    """Facts for the journal where no other activity is about to start."""

    run_id: str
    epoch: int
    outbox: Outbox


def message_key(epoch: int, step: int) -> str:
    """Key of the fact that ends a step: `message.completed` or `message.interrupted`."""
    return f"{epoch}/step/{step}/message"


def step_scope(epoch: int, step: int) -> str:
    """Fence scope of a model call."""
    return f"{epoch}/step/{step}"


def call_scope(epoch: int, call_id: str) -> str:
    """Fence scope of a tool call."""
    return f"{epoch}/call/{call_id}"


def result_key(epoch: int, call_id: str) -> str:
    """Key of the fact that ends a tool call, whichever its type."""
    return f"{epoch}/call/{call_id}/result"


def claim_key(epoch: int, call_id: str) -> str:
    """Key of `tool.started` for an unsafe tool: who appended it first may run the tool."""
    return f"{epoch}/call/{call_id}/claim"


def preview(text: str, limit: int = PREVIEW_CHARS) -> str:
    """The text cut to `limit` characters, with an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def call_id(step: int, index: int) -> str:
    """Id of the `index`th (from 0) tool call of a step; fits every provider's rules."""
    return f"call_{step}_{index}"
