"""A run in one row: what it was given, how far it came, how it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from relayline.contracts.envelope import StoredEvent, moment
from relayline.contracts.events import (
    MessageCompleted,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunRewound,
    RunStarted,
    RunTerminated,
    RunTimedOut,
)
from relayline.contracts.messages import Usage
from relayline.contracts.runs import Limits, RunError, RunStatus, Waiting
from relayline.projections.projection import Event, as_of, body_of, fold
from relayline.projections.valid import REWOUND
from relayline.projections.waits import WAIT_TYPES, Waits

_Terminal = RunCompleted | RunFailed | RunCancelled | RunTerminated | RunTimedOut
_COMPLETED = "message.completed"
_TERMINAL: Mapping[str, type[_Terminal]] = {
    "run.completed": RunCompleted,
    "run.failed": RunFailed,
    "run.cancelled": RunCancelled,
    "run.terminated": RunTerminated,
    "run.timed_out": RunTimedOut,
}
_STARTED = "run.started"
_TELLING = frozenset({_STARTED, _COMPLETED, *WAIT_TYPES})


@dataclass(frozen=True)
class Summary:
    """A run as its facts tell; events that have no key may be left out.

    None where no fact has told yet.
    """

    seq: int = 0
    """The newest event that changed something."""
    waits: Waits = field(default_factory=Waits)
    epoch: int = 0
    agent: str | None = None
    model: str | None = None
    limits: Limits | None = None
    metadata: dict[str, str] | None = None
    step: int = 0
    """The newest step; 0 before the first."""
    usage: Usage = field(default_factory=Usage)
    """Of all messages; of an ended run, as its terminal fact gives it."""
    output: str | None = None
    """Of a completed run."""
    error: RunError | None = None
    """Of a failed run."""
    created_at: datetime | None = None
    """When the run was submitted."""
    ended_at: datetime | None = None
    before: Summary | None = field(default=None, compare=False, repr=False)

    @property
    def status(self) -> RunStatus:
        """As in `Waits`."""
        return self.waits.status

    @property
    def waiting_for(self) -> tuple[Waiting, ...]:
        """As in `Waits`."""
        return self.waits.waiting_for

    def apply(self, event: Event) -> Summary:
        """This with one more event."""
        step = event.step or 0
        if event.seq <= self.seq or (event.type not in _TELLING and step <= self.step):
            return self
        if event.type == REWOUND:
            return self._rewound(body_of(RunRewound, event), event)
        step = max(self.step, step)
        return replace(self, seq=event.seq, step=step, before=self, **self._changes(event))

    def _changes(self, event: Event) -> dict[str, Any]:
        """What the event changes, by field."""
        kind = event.type
        changes = {"waits": self.waits.apply(event)} if kind in WAIT_TYPES else {}
        if kind == _STARTED:
            return changes | _started(body_of(RunStarted, event), event)
        if kind == _COMPLETED:  # it includes the tokens of interrupted answers before it
            return {"usage": self.usage + body_of(MessageCompleted, event).usage}
        if kind in _TERMINAL:
            return changes | _ended(body_of(_TERMINAL[kind], event), event)
        return changes

    def _rewound(self, body: RunRewound, event: Event) -> Summary:
        """As it was at `to_seq`, in a new epoch and with nothing open."""
        earlier = as_of(self, body.to_seq) or Summary()
        return replace(
            earlier,
            seq=event.seq,
            waits=self.waits.apply(event),
            epoch=body.epoch,
            output=None,
            error=None,
            ended_at=None,
            before=earlier,
        )


def summary(events: Iterable[Event]) -> Summary:
    """The run after these events, in order."""
    return fold(Summary(), events)


def _started(body: RunStarted, event: Event) -> dict[str, Any]:
    return {
        "epoch": body.epoch,
        "agent": body.agent,
        "model": body.model,
        "limits": body.limits,
        "metadata": body.metadata,
        "created_at": body.submitted_at or _at(event),
    }


def _ended(body: _Terminal, event: Event) -> dict[str, Any]:
    return {
        "usage": body.usage,
        "output": body.output if isinstance(body, RunCompleted) else None,
        "error": body.error if isinstance(body, RunFailed) else None,
        "ended_at": _at(event),
    }


def _at(event: Event) -> datetime:
    """When the event was appended."""
    return moment(event.at_us) if isinstance(event, StoredEvent) else event.at
