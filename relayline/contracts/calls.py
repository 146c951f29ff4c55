"""Requests and results of the activities; small on purpose, since Temporal stores them."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.envelope import Outbox
from relayline.contracts.events.children import ChildEnded
from relayline.contracts.frozen import Frozen
from relayline.contracts.mcp.planned import McpPlan
from relayline.contracts.messages import Usage
from relayline.contracts.runs import DEFAULT_TENANT, AgentSpec, Past, ToolSpec

PREVIEW_CHARS = 500
"""Characters of a text that may stand in Temporal's history."""


MAX_CALLS_PER_STEP = 32
"""Tool calls that one model answer may ask for."""
MAX_REJECTIONS = 3
"""The run fails after so many answers to one message that do not fit its output schema."""


class ModelRequest(Frozen):
    """One model call; the transcript is read from the journal."""

    run_id: str
    epoch: int
    step: int
    agent: AgentSpec | None = None
    """None: it is in the journal, as `agent.pinned` with the digest `agent_sha256`."""
    agent_sha256: str = ""
    tenant: str = DEFAULT_TENANT
    """Whose run it is; of calls that older versions have scheduled, always the default."""
    model: str | None = Field(default=None, exclude_if=lambda model: model is None)
    """Asked instead of the agent's own model; None: that one."""
    tried: int = Field(default=0, exclude_if=operator.not_)
    """Attempts of this step that other models have taken; those of this call count on from it."""
    spare: bool = Field(default=False, exclude_if=operator.not_)
    """True: another model is asked when this one is unavailable, so the call gives up soon."""
    outbox: Outbox = Outbox()


class Question(Frozen):
    """What the workflow needs to know about a question; its text is in the journal."""

    choices: tuple[str, ...] = ()
    """The only valid answers; empty: any text."""
    within_s: float | None = Field(default=None, gt=0, le=30 * 86_400)
    """Seconds that the person has to answer; None: no limit."""


class PlannedCall(Frozen):
    """What the workflow needs to know about a tool call."""

    call_id: str
    name: str
    preview: str = ""
    """`path=README.md, …`, at most 120 characters, for people."""
    approval: bool = False
    """True when a person must approve it first."""
    question: Question | None = None
    """Set when the call is a question for a person; then no tool runs."""
    unsafe: bool = False
    """True when the worker's own tool is unsafe although the run's pinned spec says safe."""
    mcp: McpPlan | None = Field(default=None, exclude_if=operator.not_)
    """Set when the tool is one of an MCP server; the agent's spec does not have it."""

    def tool_of(self, agent: AgentSpec) -> ToolSpec | None:
        """The tool, as far as the workflow knows it; None if the agent has none of that name."""
        return self.mcp.spec(self.name) if self.mcp else agent.tool(self.name)


class ModelResult(Frozen):
    """What the workflow needs to know about a model's answer."""

    finish_reason: str
    calls: tuple[PlannedCall, ...] = ()
    usage: Usage = Usage()
    preview: str = ""
    """The first 500 characters of the text."""
    interrupted: bool = False
    """True when the call was cancelled; the journal has the text so far."""
    rejected: str = Field(default="", exclude_if=operator.not_)
    """Where the answer does not fit the output schema, at most 500 characters; empty if it fits."""
    rejections: int = Field(default=0, exclude_if=operator.not_)
    """Answers since the newest message of a person that did not fit, with this one."""


class ToolRequest(Frozen):
    """One tool call; the activity reads the arguments from the step's message in the journal."""

    run_id: str
    epoch: int
    step: int
    call: PlannedCall
    tool: ToolSpec | None
    """None: the agent has no such tool, so the call fails and the model sees the error; or it is an
    MCP server's, which the journal has."""
    approval_id: str | None = None
    """The approval that allows the call; its event has the arguments that a person edited."""
    run: int = 0
    """How often it has run before, by a person's word or without what people have answered since;
    each run has its own claim."""
    tenant: str = DEFAULT_TENANT
    """Whose run it is; of calls that older versions have scheduled, always the default."""
    outbox: Outbox = Outbox()


class CheckRequest(Frozen):
    """Arguments that a person gave instead of the model's."""

    tool: ToolSpec
    arguments: dict[str, JsonValue]
    run_id: str = ""
    """Of a call of an MCP server's tool."""
    mcp: McpPlan | None = None
    """Set: the run's journal has the tool's schema."""


class CheckResult(Frozen):
    """Whether the arguments are valid for the tool."""

    problem: str | None = None
    """The field and what is wrong with it; None if the arguments are valid."""


class ToolOutcome(Frozen):
    """The end of a tool call that completed, was cancelled or asks; failures are raised."""

    call_id: str
    status: Literal["completed", "cancelled", "asks"] = "completed"
    asks: int = Field(default=0, exclude_if=operator.not_)
    """How many questions people must answer before the call is repeated; they are in the journal.
    """
    preview: str = ""
    truncated: bool = False


class RewindRequest(Frozen):
    """An operator has reset the execution; events newer than what it knows are void."""

    run_id: str
    known: tuple[str, ...] = ()
    """Keys of facts that are in the journal and still count; only the newest matters."""
    key: str
    """Key of the `run.rewound` to write; the same key again means the same reset."""
    left: tuple[ChildEnded, ...] = ()
    """Runs that calls had begun and have left, because of this reset; they are cancelled."""


class RewindResult(Frozen):
    """The result of recording a reset."""

    epoch: int
    """The epoch that begins."""
    children: tuple[str, ...] = ()
    """Runs that void calls have started; they must be cancelled."""


class RecordRequest(Frozen):
    """Facts to journal when no other activity is about to start."""

    run_id: str
    epoch: int
    outbox: Outbox
    stops: bool = False
    """True if the run has cancelled calls: their workers are told."""


class PastRequest(Frozen):
    """The past of a run to journal, with the facts that come before and after it."""

    run_id: str
    epoch: int
    tenant: str
    """Whose run it is; the run that it is a fork of is theirs, too."""
    past: Past
    is_open: bool = False
    """False: the ends of turns are left out."""
    outbox: Outbox
    """`run.queued` and, unless it starts later, `run.started` come first; the rest comes last."""


def preview(text: str, limit: int = PREVIEW_CHARS) -> str:
    """The text, cut to `limit` characters with an ellipsis at the end if it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def whole(shown: str) -> str:
    """The text of which this is the `preview`, if that is surely all of it; else empty."""
    return shown if len(shown) < PREVIEW_CHARS else ""


def known_output(agent: AgentSpec, shown: str) -> str:
    """The output of which this is the `preview`, if that is surely all of it and text; else empty.

    Args:
        agent: One with an output schema gives JSON, which is read from the journal.
        shown: The preview.
    """
    return "" if agent.output_schema else whole(shown)


PINNED_CHARS = 8192
"""An agent whose texts are longer is journaled once; a smaller one goes with each model call."""


def is_large(agent: AgentSpec) -> bool:
    """True if the agent is too large to repeat in every step of the history.

    Counts only what no later version of the code writes differently.
    """
    texts = (agent.instructions, *(tool.description for tool in agent.tools))
    schemas = sum(len(json.dumps(tool.parameters)) for tool in agent.tools)
    schemas += len(json.dumps(agent.output_schema)) if agent.output_schema else 0
    return sum(map(len, texts)) + schemas > PINNED_CHARS


def agent_given(agent: AgentSpec) -> dict[str, JsonValue]:
    """The spec as JSON; fields that later versions add do not change it."""
    given = agent.model_dump(mode="json", exclude_defaults=True)
    if agent.compaction:
        given["compaction"]["kind"] = agent.compaction.kind  # tells which it is, though a default
    return given


def agent_sha256(agent: AgentSpec) -> str:
    """SHA-256 of `agent_given` as JSON, keys sorted and no spaces; hexadecimal."""
    text = json.dumps(agent_given(agent), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def arguments_sha256(arguments: Mapping[str, JsonValue]) -> str:
    """SHA-256 of the arguments as JSON, keys sorted and no spaces, UTF-8; hexadecimal."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
