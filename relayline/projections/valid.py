"""What still counts of a run's events after an operator has reset its execution. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import AttemptFailed, AttemptSuperseded, RunRewound
from relayline.contracts.keys import superseded_key

REWOUND = "run.rewound"


def counting(events: Iterable[StoredEvent]) -> Sequence[StoredEvent]:
    """The events that count: without those that a later `run.rewound` has made void.

    Args:
        events: Of one run, in order, from its start on.
    """
    kept: list[StoredEvent] = []
    for event in events:
        if event.type == REWOUND and isinstance(body := event.body(), RunRewound):
            kept = [earlier for earlier in kept if earlier.seq <= body.to_seq]
        kept.append(event)
    return kept


DELTAS = frozenset({"message.delta", "reasoning.delta"})


@dataclass
class _Left:
    """What one attempt left."""

    from_seq: int = 0
    to_seq: int = 0
    reason: str = "the worker stopped in mid-answer"


def superseded_attempts(
    events: Iterable[StoredEvent], *, scope: str, step: int, attempt: int
) -> list[NewEvent]:
    """The facts that void what attempts before `attempt` streamed in this step, oldest first.

    Args:
        events: Everything journaled since the step began.
        scope: The fence scope of the step; the keys begin with it.
        step: The step.
        attempt: The attempt that takes over.

    Returns:
        One `attempt.superseded` for each earlier attempt that left deltas; their keys see to it
        that each is journaled once, whichever attempts append it.
    """
    left: dict[int, _Left] = {}
    for event in events:
        if event.step == step and event.attempt is not None and event.attempt < attempt:
            _note(left.setdefault(event.attempt, _Left()), event)
    return [
        NewEvent(
            body=AttemptSuperseded(
                attempt=old, from_seq=by.from_seq, to_seq=by.to_seq, reason=by.reason
            ),
            step=step,
            attempt=attempt,
            key=superseded_key(scope, old),
        )
        for old, by in sorted(left.items())
        if by.from_seq
    ]


def _note(left: _Left, event: StoredEvent) -> None:
    """Add one event of an earlier attempt to what is known of it."""
    if event.type in DELTAS:
        left.from_seq = left.from_seq or event.seq
        left.to_seq = event.seq
    elif event.type == "attempt.failed":
        body = event.body()
        if isinstance(body, AttemptFailed):
            left.reason = body.error.type
