"""Events of the runs that a run starts."""

from __future__ import annotations

from typing import Literal

from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import Usage
from relayline.contracts.runs import RunStatus


class ChildStarted(Frozen):
    """A tool call has started a run of another agent; its own events are in its own journal."""

    type: Literal["child.started"] = "child.started"
    call_id: str
    """As in `tool_calls` of `message.completed`."""
    run_id: str
    """The run that was started."""
    agent: str
    """Its agent's name."""


class ChildEnded(Frozen):
    """That run has ended; the end of the call tells the model so."""

    type: Literal["child.ended"] = "child.ended"
    call_id: str
    """As in `tool_calls` of `message.completed`."""
    run_id: str
    """The run that has ended."""
    status: RunStatus
    """How it ended."""
    usage: Usage = Usage()
    """Of all its model calls and of those of the runs below it, as far as it has told."""
