"""What was seen of one run: by its clients, in the journal, in Temporal, on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from relayline.contracts.envelope import StoredEvent
from relayline.projections.valid import REWOUND, counting

Event = dict[str, Any]
DELTAS = frozenset({"message.delta", "reasoning.delta"})
MESSAGES = frozenset({"message.completed", "message.interrupted"})


class Connection(NamedTuple):
    """One connection of a client."""

    cursor: int
    """Where it asked to go on from."""
    frames: Sequence[tuple[int, Event]]
    """The id of each frame with its envelope, as they came."""


class Effect(NamedTuple):
    """One line that a tool has left on disk."""

    call_id: str
    attempt: int


@dataclass
class Sent:
    """A command that was sent to a run, once or more."""

    command_id: str
    kind: str
    statuses: list[int] = field(default_factory=list)
    """The HTTP status of each answer."""
    state: str = ""
    """What `GET …/commands/{id}` says after the run; `404` if it knows nothing."""
    reason: str | None = None
    run_id: str = ""
    """The run below that it was passed on to; empty: it is for the run itself."""


@dataclass(frozen=True)
class Observed:
    """One run; what was not looked at has its default."""

    run_id: str
    stored: Sequence[StoredEvent]
    """The journal."""
    accepted: bool = True
    """False if it was found in Temporal or on disk, and nobody has submitted it."""
    input: str = ""
    """What was submitted; a rehearsal script tells what is to be said."""
    clients: Mapping[str, Sequence[Connection]] = field(default_factory=dict)
    sent: Sequence[Sent] = ()
    effects: Sequence[Effect] = ()
    marking: frozenset[str] = frozenset()
    """Names of the tools whose runs leave a line each."""
    unsafe: frozenset[str] = frozenset()
    """Those of them that may run once only."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """What tools are known to give, by name; `{argument}` stands for that argument."""
    status: str = ""
    """What `GET /v1/runs/{id}` says."""
    waiting_for: Sequence[Any] = ()
    """What it says of who is waited for."""
    replay: str = ""
    """What a replay of the histories complained of."""
    executions: int = 0
    """How many executions Temporal knows of."""
    resets: int = 0
    """How often an operator has reset it, as far as that is known to have succeeded."""
    told: Sequence[Any] | None = None
    """What a receiver of webhooks got of it (`told.Told`), as it came; None if nobody looked."""
    drained_only: bool = False
    """True when nothing was done to it but that workers with time to drain were asked to stop."""

    @cached_property
    def events(self) -> list[Event]:
        """The journal as clients are to see it."""
        return [json.loads(event.envelope_json()) for event in self.stored]

    @property
    def past(self) -> int:
        """The last event that a fork has from another run; 0 for other runs."""
        forks = (event for event in self.events if event["type"] == "run.forked")
        return next((int(event["data"]["to_seq"]) for event in forks), 0)

    @cached_property
    def lives(self) -> list[list[Event]]:
        """What counted at the end of each epoch: before each reset, and now."""
        resets = [place for place, event in enumerate(self.stored) if event.type == REWOUND]
        counted = [counting(self.stored[:place]) for place in (*resets, len(self.stored))]
        by_seq = {event["seq"]: event for event in self.events}
        return [_begun_anew([by_seq[event.seq] for event in life]) for life in counted]

    @cached_property
    def epochs(self) -> list[list[Event]]:
        """What was written from one reset to the next."""
        parts: list[list[Event]] = [[]]
        for event in self.events:
            if event["type"] == REWOUND:
                parts.append([])
            parts[-1].append(event)
        return parts

    @property
    def end(self) -> Event | None:
        """The newest event, None if there is none."""
        return self.events[-1] if self.stored else None


def _begun_anew(life: list[Event]) -> list[Event]:
    """Without the text of steps that were under way at a reset: it starts over."""
    ended, kept = set(), list[Event]()
    for event in life:
        if event["type"] == REWOUND:
            kept = [it for it in kept if it["type"] not in DELTAS or it["step"] in ended]
        if event["type"] in MESSAGES:
            ended.add(event["step"])
        kept.append(event)
    return kept


def effects_of(file: Path) -> list[Effect]:
    """The lines that the run's tools have left."""
    if not file.exists():
        return []
    lines = [line.split() for line in file.read_text().splitlines()]
    return [Effect(call_id, int(attempt)) for call_id, attempt in lines]


def first_said(stored: Sequence[StoredEvent]) -> str:
    """What somebody said first in a run: of a fork, what its origin was told if it heard it."""
    said = (json.loads(it.data)["text"] for it in stored if it.type == "message.user")
    return next(said, "")
