"""Events of the run as a whole: start, end, pauses."""

from __future__ import annotations

import operator
from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Usage
from relayline.contracts.runs import (
    DEFAULT_TENANT,
    MIDDLE_PRIORITY,
    Limits,
    ModelSettings,
    RunError,
    RunInput,
    TurnStatus,
    Waiting,
)
from relayline.contracts.runs.output import OutputType, is_text

TITLE_CHARS = 120
_LOOKED_AT = 16 * TITLE_CHARS
"""As much of an input makes a title, so that a long one costs no more."""


def title_of(text: str) -> str:
    """The title of a run with this input: its first `TITLE_CHARS` characters, in one line."""
    return " ".join(text.lstrip()[:_LOOKED_AT].split())[:TITLE_CHARS].rstrip()


class RunQueued(Frozen):
    """The run was submitted: event 1 of every run, and an operator's reset never makes it void.

    Runs that older versions have started do not have it.
    """

    type: Literal["run.queued"] = "run.queued"
    agent: str
    """The agent's name."""
    model: str
    """The model that the run uses: the request's, or the agent's."""
    title: str = ""
    """The first 120 characters of the input, in one line."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """As submitted."""
    submitted_at: datetime
    """When the run was submitted."""
    tenant: str = DEFAULT_TENANT
    """To whom the run belongs."""
    by: str = Field(default="", exclude_if=operator.not_)
    """Who submitted it, as the credentials say; left out while authentication is off."""
    user: str = Field(default="", exclude_if=operator.not_)
    """For whom the run works, as its request says, else as the credentials say; left out if neither
    does."""
    open: bool = Field(default=False, exclude_if=operator.not_)
    """True for a conversation: the run is idle after each turn, and takes messages; left out
    otherwise."""
    batch: str | None = None
    """The batch with which it was submitted."""
    parent: str | None = None
    """The run that started it."""
    root: str | None = Field(default=None, exclude_if=operator.not_)
    """The run at the top of the tree, if another run has started it; left out otherwise."""
    forked_from: str | None = None
    """The run of which it is a fork."""
    start_at: datetime | None = None
    """When it may start, if that is later."""
    priority: int = MIDDLE_PRIORITY
    """1 is served first, 5 last."""
    webhook: str | None = None
    """The receiver that the run names, by its id; it is told of the run, whoever else is."""
    retention_days: float | None = None
    """The run is erased so many days after its end; null without a retention of its own."""


def run_queued(run: RunInput, submitted_at: datetime) -> RunQueued:
    """What `run.queued` says of the run with this input."""
    return RunQueued(
        agent=run.agent.name,
        model=run.agent.model,
        title=title_of(run.input),
        metadata=run.metadata,
        submitted_at=submitted_at,
        tenant=run.tenant,
        by=run.by,
        user=run.user,
        webhook=run.webhook,
        open=run.idle_s is not None,
        batch=run.batch,
        parent=run.parent.run_id if run.parent else None,
        root=run.parent.root if run.parent else None,
        forked_from=run.past.run_id if run.past else None,
        start_at=run.start_at,
        priority=run.priority,
        retention_days=run.retention_days,
    )


class RunStarted(Frozen):
    """The workflow has started the run."""

    type: Literal["run.started"] = "run.started"
    agent: str
    """The agent's name."""
    model: str
    """The model that the run uses: the request's, or the agent's."""
    limits: Limits
    """The agent's limits, with those of the request in their place."""
    settings: ModelSettings = Field(
        default=ModelSettings(), exclude_if=lambda it: it == ModelSettings()
    )
    """How models are asked: the agent's settings, with those of the request in their place; left
    out if all is left to the provider."""
    fallbacks: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """Models that are asked, in this order, when the run's own is unavailable; left out if none."""
    epoch: int = 0
    """Changes only when an operator resets the execution in Temporal."""
    metadata: dict[str, str] | None = None
    """As submitted."""
    submitted_at: datetime | None = None
    """When the run was submitted; a worker may have started it later."""


class TurnCompleted(Frozen):
    """A turn of an open run has ended, however it did; the run is idle until the next message."""

    type: Literal["turn.completed"] = "turn.completed"
    turn: int
    """1, 2, 3, … within the run."""
    status: TurnStatus
    """How it ended; `failed` and `cancelled` end the turn, not the run."""
    output: JsonValue = None
    """The last message, whole: its text, or the JSON value in it; only if it completed."""
    output_type: OutputType = Field(default="text", exclude_if=is_text)
    """`json`: the value fits the agent's output schema; left out if the output is text."""
    error: RunError | None = None
    """Why it failed."""
    usage: Usage = Usage()
    """Of all model calls of the turn together."""


class AgentPinned(Frozen):
    """The whole agent of the run, journaled once if it is large, as steps refer to it by digest."""

    type: Literal["agent.pinned"] = "agent.pinned"
    sha256: str
    """Digest of the spec; hexadecimal."""
    spec: dict[str, JsonValue]
    """The agent, with the model and limits of the request merged in; without what is default."""


class RunCompleted(Frozen):
    """Terminal: the model stopped calling tools."""

    type: Literal["run.completed"] = "run.completed"
    output: JsonValue = ""
    """The last message, whole: its text, or the JSON value in it."""
    output_type: OutputType = Field(default="text", exclude_if=is_text)
    """`json`: the value fits the agent's output schema; left out if the output is text."""
    usage: Usage = Usage()
    """Of all model calls of the run together."""


class RunFailed(Frozen):
    """Terminal: a limit was reached or the model could not be called."""

    type: Literal["run.failed"] = "run.failed"
    error: RunError
    """What ended the run."""
    usage: Usage = Usage()
    """Of all model calls of the run together."""


class RunCancelled(Frozen):
    """Terminal: a person or a program cancelled the run."""

    type: Literal["run.cancelled"] = "run.cancelled"
    reason: str = ""
    """Why; may be empty."""
    by: str | None = ""
    """Who cancelled it, in the sender's own words; null in older journals."""
    usage: Usage = Usage()
    """Of all model calls of the run together."""


class RunTerminated(Frozen):
    """Terminal: an operator terminated the execution in Temporal."""

    type: Literal["run.terminated"] = "run.terminated"
    reason: str = ""
    """Why, as Temporal has it; may be empty."""
    usage: Usage = Usage()
    """Of all model calls that the journal has."""


class RunTimedOut(Frozen):
    """Terminal: Temporal's execution timeout ended the run."""

    type: Literal["run.timed_out"] = "run.timed_out"
    reason: str = ""
    """Why, as Temporal has it; may be empty."""
    usage: Usage = Usage()
    """Of all model calls that the journal has."""


class RunRewound(Frozen):
    """An operator has reset the execution: events after `to_seq`, up to this one, are void."""

    type: Literal["run.rewound"] = "run.rewound"
    to_seq: int = 0
    """`seq` of the newest event that still counts; 0: none."""
    epoch: int = 0
    """The epoch that begins with this event."""


class RunPaused(Frozen):
    """The run is paused until `resume`."""

    type: Literal["run.paused"] = "run.paused"
    by: str | None = None
    """Who paused it, in the sender's own words."""


class RunResumed(Frozen):
    """The run continues after a pause."""

    type: Literal["run.resumed"] = "run.resumed"
    by: str | None = None
    """Who let it continue, in the sender's own words."""


class RunWaiting(Frozen):
    """The run waits for a person; each item of `waiting_for` also has its own event."""

    type: Literal["run.waiting"] = "run.waiting"
    waiting_for: tuple[Waiting, ...] = ()
    """All that is open now, oldest first."""


class BudgetExceeded(Frozen):
    """A limit of the run was reached, or a quota of its tenant."""

    type: Literal["budget.exceeded"] = "budget.exceeded"
    limit: str
    """A field of `Limits`; or `tenant_tokens`, `tenant_cost`: what the tenant may use in a day."""
    used: float
    """What the run has used, or would use with its next calls; or what the tenant has used."""
    allowed: float
    """The limit."""
