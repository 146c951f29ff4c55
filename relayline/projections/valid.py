"""What still counts of a run's events after an operator has reset its execution. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import RunRewound

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
