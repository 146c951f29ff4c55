"""What the workflow hands to its activities and what they return; small on purpose."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.envelope import Outbox
from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Usage
from relayline.contracts.runs import AgentSpec, ToolSpec

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


class Question(Frozen):
    """What the workflow has to know of a question; its text is in the journal."""

    choices: tuple[str, ...] = ()
    """The only answers that it takes; empty: any."""
    within_s: float | None = Field(default=None, gt=0, le=30 * 86_400)
    """Seconds that the person has; None: as long as it takes."""


class PlannedCall(Frozen):
    """A tool call as the workflow sees it."""

    call_id: str
    name: str
    preview: str = ""
    """`path=README.md, …`, at most 120 characters, for people."""
    approval: bool = False
    """A person has to approve it first."""
    question: Question | None = None
    """Set when the call is a question for a person: nothing runs."""


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
    approval_id: str | None = None
    """The approval that lets it run; what a person changed in the arguments is read from there."""
    run: int = 0
    """How often a person had an unsafe tool run once more; each run is claimed by itself."""
    outbox: Outbox = Outbox()


class CheckRequest(Frozen):
    """Arguments that a person gave in place of the model's."""

    tool: ToolSpec
    arguments: dict[str, JsonValue]


class CheckResult(Frozen):
    """Whether a tool can take the arguments."""

    problem: str | None = None
    """Names the field and what is wrong with it; None if nothing is."""


class ToolOutcome(Frozen):
    """How a tool call ended when it ended well, or was stopped."""

    call_id: str
    status: Literal["completed", "cancelled"] = "completed"
    preview: str = ""
    truncated: bool = False


class RewindRequest(Frozen):
    """An operator has reset the execution; what it knows of is the newest that still counts."""

    run_id: str
    known: tuple[str, ...] = ()
    """Keys of facts that are known to be in the journal; the newest of them is enough."""
    key: str
    """Of the fact to be written; the same key again is the same reset."""


class RewindResult(Frozen):
    """What comes after a reset."""

    epoch: int


class RecordRequest(Frozen):
    """Facts for the journal where no other activity is about to start."""

    run_id: str
    epoch: int
    outbox: Outbox


def preview(text: str, limit: int = PREVIEW_CHARS) -> str:
    """The text cut to `limit` characters, with an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def arguments_sha256(arguments: Mapping[str, JsonValue]) -> str:
    """SHA-256 of the arguments as JSON, keys sorted and no spaces, UTF-8; hexadecimal."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
