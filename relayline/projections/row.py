"""A run in one row: what it was given, how far it came, how it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from relayline.contracts.events import RunForked, RunRewound
from relayline.contracts.messages import Usage
from relayline.contracts.runs import (
    DEFAULT_TENANT,
    ForkedFrom,
    Limits,
    Phase,
    RunError,
    RunStatus,
    Waiting,
)
from relayline.projections.line import Line, NowKind, StretchKind
from relayline.projections.projection import Event, as_of, body_of, fold
from relayline.projections.row_changes import CHANGES, GIVEN, MESSAGE, at_of
from relayline.projections.valid import QUEUED, REWOUND
from relayline.projections.waits import WAIT_TYPES, OpenItem, Waits, shortened

ROW_TYPES = frozenset({*CHANGES, *WAIT_TYPES})
"""The types of facts that change a row."""
_KINDS: Mapping[Phase, StretchKind] = {
    Phase.STARTING: "queue",
    Phase.MODEL: "model",
    Phase.TOOLS: "tool",
    Phase.WAITING: "wait",
    Phase.PAUSED: "pause",
}
"""What the line shows of each phase."""
_PAUSE = "pause"
"""In `since`, beside the ids of requests."""


@dataclass(frozen=True)
class RunRow:
    """A run as its facts tell; events that have no key may be left out.

    None where no fact has told yet. Requests have only what a list shows: no arguments, no schema.
    """

    seq: int = 0
    """The newest event that changed something."""
    run_id: str = ""
    waits: Waits = field(default_factory=Waits)
    since: Mapping[str, datetime] = field(default_factory=dict)
    """When each open request was made, by id, and when the pause began."""
    queued: bool = False
    """True once `run.queued` has told what the run was given; `run.started` then changes none of
    it."""
    tenant: str = DEFAULT_TENANT
    user: str = ""
    """For whom it works; empty if nobody has said."""
    agent: str | None = None
    model: str | None = None
    title: str = ""
    metadata: dict[str, str] | None = None
    open: bool = False
    """True for a conversation."""
    turn: int | None = None
    """The newest turn of a conversation."""
    batch: str | None = None
    parent: str | None = None
    root: str | None = None
    """The run at the top of the tree; None for that run itself."""
    forked_from: str | None = None
    fork: RunForked | None = None
    """The past that it began with, without what was edited; None: it has none of its own yet."""
    inherited_usage: Usage = field(default_factory=Usage)
    """Of the messages of that past."""
    start_at: datetime | None = None
    priority: int | None = None
    retention_days: float | None = None
    """Days after its end after which the run is erased; None: without a time of its own."""
    limits: Limits | None = None
    epoch: int = 0
    step: int = 0
    """The newest step; 0 before the first."""
    tool_calls: int = 0
    """Tool calls that the model has asked for."""
    in_tools: bool = False
    """True from an answer with tool calls to the next step."""
    called: str = ""
    """The calls that the newest answer has asked for, in one line."""
    said: str = ""
    """The beginning of what a completed run, or the newest turn, gave, in one line."""
    turn_failed: str = ""
    """Why the newest turn failed, in one line."""
    line: Line = field(default_factory=Line)
    usage: Usage = field(default_factory=Usage)
    """Of all its own messages; of an ended run, as its terminal fact gives it."""
    child_usage: Usage = field(default_factory=Usage)
    """Of the runs below it that have ended; not a part of `usage`."""
    error: RunError | None = None
    """Of a failed run."""
    created_at: datetime | None = None
    """When the run was submitted; its first fact, where none tells."""
    updated_at: datetime | None = None
    """When the newest fact was appended that changes a row."""
    ended_at: datetime | None = None
    before: Annotated[RunRow | None, Field(exclude=True)] = field(
        default=None, compare=False, repr=False
    )

    @property
    def status(self) -> RunStatus:
        """As in `Waits`."""
        return self.waits.status

    @property
    def source(self) -> ForkedFrom | None:
        """Where a fork begins in another run; None for others, and until it has its past."""
        fork = self.fork
        if fork is None or fork.run_id is None:
            return None
        return ForkedFrom(run_id=fork.run_id, step=fork.step, seq=fork.seq)

    @property
    def waiting_for(self) -> tuple[Waiting, ...]:
        """As in `Waits`."""
        return self.waits.waiting_for

    @property
    def now(self) -> tuple[NowKind, str] | None:
        """What the run does, or what came of it, and one line about that; None: nothing to tell."""
        if self.error:
            return "error", self.error.message
        if self.phase is Phase.IDLE and self.turn_failed:
            return "error", self.turn_failed
        if self.status.ended or self.phase is Phase.IDLE:
            return ("said", self.said) if self.said else None
        kind = _KINDS.get(self.phase, "queue")
        if kind == "wait":
            return kind, self.waiting_for[0].what
        return kind, {"tool": self.called, "model": f"step {self.step}"}.get(kind, "")

    @property
    def open_items(self) -> tuple[OpenItem, ...]:
        """What it waits for itself, in the order of `waiting_for`, with times and tool."""
        return tuple(self._item(item) for item in self.waiting_for if not item.run_id)

    @property
    def phase(self) -> Phase:
        """What the run is doing, as far as its facts tell."""
        status = self.status
        if status.ended:
            return Phase.ENDED
        if status is RunStatus.PAUSED:
            return Phase.PAUSED
        if status is RunStatus.WAITING:
            return Phase.WAITING
        if status is RunStatus.IDLE:
            return Phase.IDLE
        if self.in_tools:
            return Phase.TOOLS
        return Phase.MODEL if self.step else Phase.STARTING

    def apply(self, event: Event) -> RunRow:
        """This with one more event."""
        if event.seq <= self.seq or event.type not in ROW_TYPES or self._says_nothing(event):
            return self
        if event.type == REWOUND:
            return self._rewound(body_of(RunRewound, event), event)
        at = at_of(event)
        changes: dict[str, Any] = {"created_at": self.created_at or at}
        if event.type in WAIT_TYPES:
            changes |= self._waits(event, at)
        if change := CHANGES.get(event.type):
            changes |= change(self, event)
        changes |= {"seq": event.seq, "run_id": event.run_id, "updated_at": at, "before": self}
        changes["step"] = max(self.step, event.step or 0)
        row = RunRow(**{**vars(self), **changes})  # as `replace` does, in half the time
        return row if event.type == QUEUED and self.seq else row.turned(at)

    def _says_nothing(self, event: Event) -> bool:
        """True for a message after the input that begins no turn."""
        titled = self.queued or bool(self.title)
        return event.type == MESSAGE and titled and not self.waits.idle

    def _waits(self, event: Event, at: datetime) -> dict[str, Any]:
        """Status and requests after the event, and since when."""
        waits = self.waits.apply(event)
        fresh = {id_: at for id_ in waits.open if id_ not in self.waits.open}
        if fresh:
            waits = replace(waits, open={id_: shortened(it) for id_, it in waits.open.items()})
        if waits.paused and not self.waits.paused:
            fresh[_PAUSE] = at
        kept = {*waits.open, *([_PAUSE] if waits.paused else [])}
        since = {id_: when for id_, when in {**self.since, **fresh}.items() if id_ in kept}
        return {"waits": waits, "since": since}

    def _rewound(self, body: RunRewound, event: Event) -> RunRow:
        """As it was at `to_seq`, in a new epoch and with nothing open."""
        earlier = as_of(self, body.to_seq) or RunRow()
        given = {name: getattr(self, name) for name in GIVEN} if self.queued else {}
        at = at_of(event)
        row = replace(
            earlier,
            seq=event.seq,
            run_id=event.run_id,
            waits=self.waits.apply(event),
            since={},
            epoch=body.epoch,
            error=None,
            said="",
            turn_failed="",
            created_at=earlier.created_at or at,
            updated_at=at,
            ended_at=None,
            before=earlier,
        )
        return replace(row, **given).turned(at)

    def turned(self, at: datetime) -> RunRow:
        """This with what it does now in its line."""
        kind = _KINDS.get(self.phase) if self.status is not RunStatus.SCHEDULED else None
        if kind == self.line.kind:
            return self
        since = at - (self.created_at or at)
        line = self.line.turned(kind, since // timedelta(milliseconds=1))
        return RunRow(**{**vars(self), "line": line})

    def _item(self, waiting: Waiting) -> OpenItem:
        asked = self.waits.open.get(waiting.id or "")
        return OpenItem(
            waiting=waiting,
            since=self.since.get(waiting.id or _PAUSE),
            expires_at=asked.expires_at if asked else None,
            tool=asked.tool if asked else "",
        )


_ROW: TypeAdapter[RunRow] = TypeAdapter(RunRow)


def row_of(events: Iterable[Event]) -> RunRow:
    """The run after these events, in order."""
    return fold(RunRow(), events)


def dump_row(row: RunRow) -> str:
    """The row as JSON text, for `load_row`; without the versions before it."""
    return _ROW.dump_json(row, exclude_defaults=True).decode()


def load_row(text: str) -> RunRow:
    """The row of that JSON text. It can be folded on, but not back: a reset folds all facts again.

    Raises:
        ValidationError: the text is not of a row.
    """
    return _ROW.validate_json(text)
