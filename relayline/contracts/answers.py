"""Response bodies of the HTTP API, for the server and for the client library."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from relayline.contracts.command_answers import CommandView
from relayline.contracts.messages import Usage, UsageSum
from relayline.contracts.runs import (
    ForkedFrom,
    Limits,
    Phase,
    RunError,
    RunStatus,
    TurnStatus,
    Waiting,
)
from relayline.contracts.runs.output import OutputType, is_text

InboxKind = Literal["approval", "limit", "input", "resume", "attention"]


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Links(_Answer):
    """Where to find more of a run; paths are relative to this server."""

    self: str
    events: str
    progress: str
    page: str | None = None
    """For people, in a browser; null from an older server."""
    temporal_ui: str | None = None


class RunAccepted(_Answer):
    """The receipt of a submitted run."""

    run_id: str
    status: RunStatus
    links: Links


class TurnView(_Answer):
    """A turn of a conversation that has ended."""

    turn: int
    status: TurnStatus
    output: JsonValue = None
    output_type: OutputType = Field(default="text", exclude_if=is_text)
    """As in `run.completed`; null unless completed."""
    error: RunError | None = None
    usage: Usage = Usage()


class RunView(_Answer):
    """A run, as its sources know it."""

    run_id: str
    agent: str | None
    model: str | None = None
    status: RunStatus
    output: JsonValue = None
    """The last message, whole: its text, or the JSON in it; null unless completed."""
    output_type: OutputType = Field(default="text", exclude_if=is_text)
    error: RunError | None = None
    usage: Usage = Usage()
    child_usage: Usage = Usage()
    """Of the runs below it that have ended; not a part of `usage`."""
    step: int = 0
    turn: int | None = None
    """Of a conversation, its newest turn; null for any other run."""
    last_turn: TurnView | None = None
    """The newest turn that has ended; with `command`, the one that it began, once it has ended."""
    command: CommandView | None = None
    """State of the command that the query parameter names; null without one."""
    waiting_for: tuple[Waiting, ...] = ()
    attention: str | None = None
    """Why an open run makes no progress: `workflow task failing` (its code fails, for example
    after a bad deployment), `no worker`, `no worker for …` (tools, or a provider's calls), `worker
    lost: NAME, 2 of 3 times` (each time that the call ran), `activity paused` (by an operator, in
    Temporal); null when no problem is known."""
    forked_from: ForkedFrom | None = None
    """Of a fork, where it begins in the run that it is a fork of; null for any other run."""
    inherited_usage: Usage | None = None
    """Usage in its past, which is no part of `usage`; null for a run without a past."""
    limits: Limits | None = None
    metadata: dict[str, str] | None = None
    """null when the source does not have it."""
    user: str | None = None
    created_at: datetime | None = None
    start_at: datetime | None = None
    """When it starts, or started, if it was submitted for later."""
    ended_at: datetime | None = None
    parent: str | None = None
    """The run that started this one."""
    root: str | None = None
    """The run at the top of the tree; null if no other run started this one."""
    build: str | None = None
    """The only build whose workers work on it; null if any does, or Temporal was not asked."""
    source: Literal["temporal", "journal"] = "temporal"
    """`journal`: read from the events, because the run has ended or Temporal is unavailable."""
    links: Links


class Now(_Answer):
    """What a run does, or what came of it."""

    kind: Literal["queue", "model", "tool", "wait", "pause", "error", "said"]
    """`error` and `said`: the run has ended, or a turn of a conversation."""
    what: str = ""
    """One line: the tool calls asked for, what it waits for, the error, how the output begins."""


class RunListItem(_Answer):
    """A run in a list, as its facts tell."""

    run_id: str
    agent: str | None
    model: str | None = None
    title: str = ""
    """The first 120 characters of the input, in one line."""
    status: RunStatus
    phase: Phase | None = None
    """As far as the facts tell."""
    step: int = 0
    turn: int | None = None
    """Of a conversation, its newest turn; null for any other run."""
    tool_calls: int = 0
    """Tool calls that the model asked for."""
    usage: Usage = Usage()
    child_usage: Usage = Usage()
    """Of the runs below it that have ended; not a part of `usage`."""
    waiting_for: tuple[Waiting, ...] = ()
    metadata: dict[str, str] | None = None
    error: RunError | None = None
    """Of a failed run."""
    attention: str | None = None
    """As in the run itself, but checked every 10 s, in turns if many runs are open."""
    batch: str | None = None
    parent: str | None = None
    """The run that started this one."""
    root: str | None = None
    """The run at the top of the tree; null if no other run started this one."""
    forked_from: str | None = None
    """The run that this one is a fork of."""
    created_at: datetime
    start_at: datetime | None = None
    """When it starts, or started, if it was submitted for later."""
    updated_at: datetime | None = None
    """When a fact last changed the run."""
    ended_at: datetime | None = None
    now: Now | None = None
    """null: nothing to tell."""
    line: tuple[
        tuple[Literal["queue", "model", "tool", "wait", "pause"], int, int | None], ...
    ] = ()
    """Where the time went: at most 24 stretches of `[kind, from_ms, to_ms]`, in milliseconds since
    `created_at`; the last of an open run has no end. While a run waits for a person, what else it
    does is not shown."""
    links: Links


class RunList(_Answer):
    """One page of runs, newest first."""

    runs: tuple[RunListItem, ...]
    cursor: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class RunTotals(_Answer):
    """How many runs match."""

    total: int
    by_status: dict[RunStatus, int]
    """Statuses without a run are left out."""


class RunCounts(RunTotals):
    """How many runs match, and what they have used."""

    usage: UsageSum = UsageSum()
    """Of all these runs together."""
    usage_by_status: dict[RunStatus, UsageSum] = Field(default_factory=dict)
    """Of the runs of each status in `by_status`."""


class InboxItem(_Answer):
    """Something that waits for a person."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    item_id: str
    """Names the item among all: `{run_id}/{id}`, or `{run_id}/{kind}` where it has no `id`."""
    run_id: str
    title: str = ""
    """Of the run."""
    root: str | None = None
    """The run at the top of the tree, if another run started this one."""
    agent: str | None = None
    metadata: dict[str, str] | None = None
    step: int = 0
    kind: InboxKind
    """`approval` and `limit` (it raises one) take a decision, `input` an answer, `resume` the
    command of that name; `attention`: the run makes no progress."""
    id: str | None = None
    """The approval or request to answer."""
    what: str = ""
    """One line for people; of `attention`, why."""
    since: datetime | None = None
    """When the run began to wait for it; of `attention`, when the run made its last progress."""
    expires_at: datetime | None = None
    """If nobody has acted by then, the run continues without."""
    tool: str | None = None
    server: str | None = None
    """The MCP server whose tool it is; null for other tools."""
    arguments: dict[str, JsonValue] | None = None
    """Of an approval: as the model gave them."""
    parameters: dict[str, JsonValue] | None = None
    """Of an approval: JSON Schema for edited arguments."""
    effects: Literal["safe", "unsafe"] | None = None
    """Of an approval, as in its `approval.requested`; null: not known."""
    why: Literal["always"] | dict[str, JsonValue] | None = None
    """Of an approval, as in its `approval.requested`; null: not known."""
    question: str | None = None
    """Of an input, whole."""
    data_schema: dict[str, JsonValue] | None = Field(default=None, alias="schema")
    """Of an input: JSON Schema of the answer's text; null: any text."""
    said: str | None = None
    """What the model said just before; at most 2,000 characters."""
    links: Links


class InboxView(_Answer):
    """One page of all that waits for a person, most urgent first."""

    items: tuple[InboxItem, ...]
    """Those that expire first go first, then those that wait longest."""
    total: int
    """Of all pages."""
    cursor: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class ProgressView(_Answer):
    """The current state of a run."""

    run_id: str
    source: Literal["query", "memo", "journal"]
    """`query`: the workflow answered; `memo`: no worker answered; `journal`: the run has ended or
    Temporal is unavailable."""
    agent: str | None = None
    model: str | None = None
    status: RunStatus
    step: int = 0
    phase: Phase | None = None
    """null unless the workflow answered."""
    waiting_for: tuple[Waiting, ...] = ()
    attention: str | None = None
    """As in the run itself; null when the workflow answered."""
    turn: int | None = None
    """The newest turn; null unless the workflow answered. A run that is no conversation has one."""
    tool_calls: int | None = None
    running_tools: tuple[str, ...] = ()
    usage: Usage = Usage()
    limits: Limits | None = None
    started_at: datetime | None = None
    last_error: RunError | None = None


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
