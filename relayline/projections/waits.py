"""Whether a run goes on, and what a person has to do before it does: from its facts."""

from __future__ import annotations

from relayline.contracts.calls import preview
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    InputClosed,
    InputReceived,
    InputRequested,
    RunWaiting,
)
from relayline.contracts.runs import RunStatus, Waiting

_WHAT_CHARS = 200
WAITS = frozenset(
    {
        "run.paused",
        "run.resumed",
        "run.waiting",
        "approval.requested",
        "approval.resolved",
        "input.requested",
        "input.received",
        "input.closed",
    }
)
"""The facts that say what a run waits for."""


class Standing:
    """Whether a run goes on, and what a person has to do before it does."""

    def __init__(self) -> None:
        self._paused = False
        self._open: dict[str, Waiting] = {}

    @property
    def status(self) -> RunStatus:
        """Paused, waiting or running."""
        if self._paused:
            return RunStatus.PAUSED
        return RunStatus.WAITING if self._open else RunStatus.RUNNING

    @property
    def waiting_for(self) -> tuple[Waiting, ...]:
        """The pause first, then approvals and questions, oldest first."""
        resume = (Waiting(kind="resume", what="the run is paused"),) if self._paused else ()
        return (*resume, *self._open.values())

    def apply(self, fact: StoredEvent) -> None:
        """Take the next of the facts in `WAITS`."""
        match fact.body():
            case ApprovalRequested(approval_id=id_, tool=tool):
                self._open[id_] = Waiting(kind="approval", id=id_, what=f"approve `{tool}`")
            case InputRequested(request_id=id_, question=question):
                what = preview(" ".join(question.split()), _WHAT_CHARS)
                self._open[id_] = Waiting(kind="input", id=id_, what=what)
            case RunWaiting(waiting_for=items):
                self._open |= {item.id: item for item in items if item.id}
            case ApprovalResolved(approval_id=id_):
                self._open.pop(id_, None)
            case InputReceived(request_id=id_) | InputClosed(request_id=id_):
                self._open.pop(id_, None)
            case _:
                self._paused = fact.type == "run.paused"
