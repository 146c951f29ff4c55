"""Whether a run continues, and what a person must do before it does. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from relayline.contracts.calls import preview
from relayline.contracts.events import (
    TERMINAL_TYPES,
    ApprovalRequested,
    InputRequested,
    RunQueued,
    RunRewound,
    RunWaiting,
)
from relayline.contracts.runs import RunStatus, Waiting
from relayline.projections.projection import Event, body_of, data_of
from relayline.projections.valid import QUEUED, REWOUND

WHAT_CHARS = 200
"""The longest line that tells what a run waits for."""
_PAUSED = "run.paused"
_STARTED = "run.started"
_TURN_OVER = "turn.completed"
_TURNS = frozenset({_TURN_OVER, "message.user"})
_SWITCHES = frozenset({_STARTED, "run.resumed", _PAUSED})
_IDS = {
    "approval.resolved": "approval_id",
    "input.received": "request_id",
    "input.closed": "request_id",
}
"""Each type that closes a request, with the field that has the request's id."""
WAIT_TYPES = frozenset(
    {
        *_SWITCHES,
        *TERMINAL_TYPES,
        QUEUED,
        REWOUND,
        *_TURNS,
        "run.waiting",
        "approval.requested",
        "input.requested",
        *_IDS,
    }
)
"""The types that change a run's status or what it waits for."""
Request = ApprovalRequested | InputRequested


@dataclass(frozen=True)
class Waits:
    """A run's status, and the approvals and questions that are open.

    After a reset nothing is open and the run is not paused: the run says again what it waits for.
    Once the run has ended, nothing opens.
    """

    seq: int = 0
    """The newest event of `WAIT_TYPES`; others change nothing."""
    begun: bool = False
    scheduled: bool = False
    """True for a run that was submitted for later; no reset changes that."""
    started_seq: int = 0
    """`seq` of the first `run.started` that counts; 0: there is none."""
    paused: bool = False
    idle: bool = False
    """True from the end of a turn to the next message."""
    ended: RunStatus | None = None
    open: Mapping[str, Request] = field(default_factory=dict)
    """By id, oldest first."""
    told: Mapping[str, Waiting] = field(default_factory=dict)
    """What `run.waiting` said of requests that were open then, by id."""
    below: tuple[Waiting, ...] = ()
    """What the newest `run.waiting` said of the runs below this one."""

    @property
    def status(self) -> RunStatus:
        """How it ended, else `paused`, `waiting` while something is open, or `idle`."""
        if self.ended:
            return self.ended
        if self.paused:
            return RunStatus.PAUSED
        if self.open or self.below:
            return RunStatus.WAITING
        if self.idle:
            return RunStatus.IDLE
        if self.begun:
            return RunStatus.RUNNING
        return RunStatus.SCHEDULED if self.scheduled else RunStatus.QUEUED

    @property
    def approvals(self) -> Mapping[str, ApprovalRequested]:
        """Those that wait for a decision, by id, oldest first."""
        return {id_: it for id_, it in self.open.items() if isinstance(it, ApprovalRequested)}

    @property
    def questions(self) -> Mapping[str, InputRequested]:
        """Those that wait for an answer, by id, oldest first."""
        return {id_: it for id_, it in self.open.items() if isinstance(it, InputRequested)}

    @property
    def waiting_for(self) -> tuple[Waiting, ...]:
        """The pause first, then approvals and questions, oldest first, then those of runs below.

        While the run is paused, so are these: their own pauses are left out.
        """
        own = (self.told.get(id_) or _waiting(it) for id_, it in self.open.items())
        if not self.paused:
            return (*own, *self.below)
        pause = Waiting(kind="resume", what="the run is paused")
        return (pause, *own, *(item for item in self.below if item.kind != "resume"))

    def apply(self, event: Event) -> Waits:
        """This with one more event."""
        if event.seq <= self.seq or event.type not in WAIT_TYPES:
            return self
        if event.type == REWOUND:
            return self._rewound(event)
        if event.type in TERMINAL_TYPES and not self.ended:
            return replace(
                Waits(event.seq, begun=True, ended=TERMINAL_TYPES[event.type]),
                scheduled=self.scheduled,
                started_seq=self.started_seq,
            )
        if self.ended:
            return replace(self, seq=event.seq)
        after = self._turned if event.type in _TURNS else self._after
        return replace(after(event), seq=event.seq)

    def _turned(self, event: Event) -> Waits:
        """A run is idle from the end of a turn to the next message; a pause ends with its turn."""
        over = event.type == _TURN_OVER
        return replace(self, idle=over, paused=self.paused and not over)

    def _rewound(self, event: Event) -> Waits:
        """Nothing is open; a run that was reset to before its start waits for it again."""
        counts = self.started_seq <= body_of(RunRewound, event).to_seq
        kept = self.started_seq if counts else 0
        begun = bool(kept) or not self.scheduled
        return Waits(event.seq, begun=begun, scheduled=self.scheduled, started_seq=kept)

    def _after(self, event: Event) -> Waits:
        if event.type in _SWITCHES:
            starts = event.type == _STARTED
            return replace(
                self,
                begun=self.begun or starts or not self.scheduled,
                paused=event.type == _PAUSED,
                started_seq=self.started_seq or (event.seq if starts else 0),
            )
        match event.type:
            case "run.queued":
                return replace(self, scheduled=body_of(RunQueued, event).start_at is not None)
            case "run.waiting":
                items = body_of(RunWaiting, event).waiting_for
                told = {item.id: item for item in items if item.id in self.open and item.id}
                below = tuple(item for item in items if item.run_id)
                return replace(self, told={**self.told, **told}, below=below)
            case "approval.requested":
                approval = body_of(ApprovalRequested, event)
                return replace(self, open={**self.open, approval.approval_id: approval})
            case "input.requested":
                question = body_of(InputRequested, event)
                return replace(self, open={**self.open, question.request_id: question})
            case kind:
                closed = data_of(event).get(_IDS[kind])
                still_open = {id_: it for id_, it in self.open.items() if id_ != closed}
                return replace(self, open=still_open)


@dataclass(frozen=True)
class OpenItem:
    """Something that a run waits for, as an inbox shows it."""

    waiting: Waiting
    since: datetime | None
    """When the run began to wait for it."""
    expires_at: datetime | None
    tool: str
    """The tool that the request is about; empty for a pause."""


def shortened(request: Request) -> Request:
    """The request as far as a list shows it."""
    if isinstance(request, ApprovalRequested):
        return ApprovalRequested(
            approval_id=request.approval_id,
            call_id=request.call_id,
            tool=request.tool,
            expires_at=request.expires_at,
            server=request.server,
        )
    return InputRequested(
        request_id=request.request_id,
        question=preview(" ".join(request.question.split()), WHAT_CHARS),
        expires_at=request.expires_at,
        call_id=request.call_id,
        tool=request.tool,
        server=request.server,
    )


def _waiting(request: Request) -> Waiting:
    """One line for people, from the request itself."""
    if isinstance(request, ApprovalRequested):
        what = f"approve `{request.tool}`"
        return Waiting(kind="approval", id=request.approval_id, what=what)
    what = preview(" ".join(request.question.split()), WHAT_CHARS)
    return Waiting(kind="input", id=request.request_id, what=what)
