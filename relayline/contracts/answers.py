"""Response bodies of the HTTP API, for the server and for the client library."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from relayline.contracts.commands import CommandKind
from relayline.contracts.messages import Usage
from relayline.contracts.runs import Limits, Phase, RunError, RunStatus, Waiting


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Links(_Answer):
    """Where to find more of a run; paths are relative to this server."""

    self: str
    events: str
    progress: str
    temporal_ui: str | None = None


class RunAccepted(_Answer):
    """The receipt of a submitted run."""

    run_id: str
    status: RunStatus
    links: Links


class RunView(_Answer):
    """A run, as its sources know it."""

    run_id: str
    agent: str | None
    model: str | None = None
    status: RunStatus
    output: str | None = None
    """The last message, whole; null unless completed."""
    error: RunError | None = None
    usage: Usage = Usage()
    step: int = 0
    waiting_for: tuple[Waiting, ...] = ()
    attention: str | None = None
    """Why an open run makes no progress: `workflow task failing` (its code fails, for example
    after a bad deployment), `no worker`, `no worker for …` (tools, or a provider's calls),
    `worker lost: NAME, 2 of 3 times` (the worker of that tool, or of the model call, died each time
    that it ran), `activity paused` (an operator paused a call in Temporal); null when no problem is
    known."""
    limits: Limits | None = None
    metadata: dict[str, str] | None = None
    """null when the source does not have it."""
    created_at: datetime | None = None
    ended_at: datetime | None = None
    source: Literal["temporal", "journal"] = "temporal"
    """`journal`: read from the events, because the run has ended or Temporal is unavailable."""
    links: Links


class RunListItem(_Answer):
    """A run in a list."""

    run_id: str
    agent: str | None
    model: str | None = None
    status: RunStatus
    step: int = 0
    waiting_for: tuple[Waiting, ...] = ()
    attention: str | None = None
    """As in the run itself."""
    created_at: datetime
    ended_at: datetime | None = None
    links: Links


class RunList(_Answer):
    """One page of runs, newest first."""

    runs: tuple[RunListItem, ...]
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
    tool_calls: int | None = None
    running_tools: tuple[str, ...] = ()
    usage: Usage = Usage()
    limits: Limits | None = None
    started_at: datetime | None = None
    last_error: RunError | None = None


class CommandReceipt(_Answer):
    """The receipt of a command."""

    command_id: str


class CommandView(_Answer):
    """The outcome of a command."""

    command_id: str
    run_id: str
    kind: CommandKind | None = None
    state: Literal["accepted", "applied", "refused"]
    step: int | None = None
    """The step at which it was applied or refused."""
    reason: str | None = None
    """Why it was refused."""
    applied: str | None = None
    """What it did."""


class AgentView(_Answer):
    """An agent that this server can run."""

    name: str
    model: str
    tools: tuple[str, ...]
    limits: Limits


class AgentList(_Answer):
    """The agents of this server."""

    agents: tuple[AgentView, ...]


class Health(_Answer):
    """Whether the server is ready, and what is missing."""

    status: Literal["ok", "unavailable"]
    parts: dict[str, str] = Field(default_factory=dict)
    """`ok` or the problem, by part: `journal`, `temporal`, `namespace`."""
    lacking: dict[str, str] = Field(default_factory=dict)
    """Kinds of work (`runs`, `models`, `tools`) that no worker takes, and why. The server still
    accepts runs and stays ready; new runs wait."""


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
