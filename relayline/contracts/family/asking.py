"""Requests and results of the activities that begin and end a call of another agent."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from relayline.contracts.calls import ToolOutcome, ToolRequest
from relayline.contracts.envelope import Outbox
from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Usage
from relayline.contracts.runs import RunInput, RunStatus, Waiting

MAX_DEPTH = 5
"""Runs on the way from the top of a tree to its lowest run, at most."""
MAX_OPEN = 100
"""Runs below the top of a tree that may be open at the same time."""
MAX_REPORTED = 32
"""Items of `waiting_for` that a run tells its parent of, at most."""


class ChildRequest(ToolRequest):
    """The call of another agent; the activity reads its message from the journal."""

    child: RunInput
    """The run that it starts, without its input."""
    submitted_at: datetime


class ChildBegun(Frozen):
    """The run may start: the journal has it."""

    message: str
    """Its input."""


class ChildEnd(Frozen):
    """The run that a call has started is closed in Temporal."""

    run_id: str
    epoch: int
    step: int
    call_id: str
    name: str
    """The tool's."""
    child_id: str
    agent: str
    status: RunStatus
    """As Temporal has it; the run's own journal knows better if it has a terminal fact."""
    stopped: bool = False
    """True if the parent has cancelled it."""
    usage: Usage = Usage()
    """Of the run and of those below it, as far as it has told."""
    outbox: Outbox = Outbox()


class ChildOutcome(ToolOutcome):
    """The end of the call."""

    usage: Usage = Usage()
    """Of the run and of those below it."""


class ChildReport(Frozen):
    """What a run tells its parent whenever one of these has changed; the payload of a signal."""

    run_id: str = ""
    usage: Usage = Usage()
    """Of the run and of those below it."""
    waiting_for: tuple[Waiting, ...] = Field(default=(), max_length=MAX_REPORTED)
    """What it waits for, as it stands in its parent's `waiting_for`."""
