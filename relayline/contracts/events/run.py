"""Events of the run as a whole: start, end, pauses."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Usage
from relayline.contracts.runs import DEFAULT_TENANT, Limits, RunError, RunInput, Waiting, title_of

MIDDLE_PRIORITY = 3
"""The priority of a run that was given none."""


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
    batch: str | None = None
    """The batch with which it was submitted."""
    parent: str | None = None
    """The run that started it."""
    forked_from: str | None = None
    """The run of which it is a fork."""
    start_at: datetime | None = None
    """When it may start, if that is later."""
    priority: int = MIDDLE_PRIORITY
    """1 is served first, 5 last."""


def run_queued(run: RunInput, submitted_at: datetime) -> RunQueued:
    """What `run.queued` says of the run with this input."""
    return RunQueued(
        agent=run.agent.name,
        model=run.agent.model,
        title=title_of(run.input),
        metadata=run.metadata,
        submitted_at=submitted_at,
        tenant=run.tenant,
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
    epoch: int = 0
    """Changes only when an operator resets the execution in Temporal."""
    metadata: dict[str, str] | None = None
    """As submitted."""
    submitted_at: datetime | None = None
    """When the run was submitted; a worker may have started it later."""


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
    output: str = ""
    """The text of the last message, whole."""
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
    """A limit of the run was reached."""

    type: Literal["budget.exceeded"] = "budget.exceeded"
    limit: str
    """A field of `Limits`."""
    used: float
    """What the run has used, or would use with its next calls."""
    allowed: float
    """The limit."""
