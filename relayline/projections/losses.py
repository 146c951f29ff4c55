"""The calls of a run whose workers died while they ran. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relayline.contracts.events import TERMINAL_TYPES, AttemptLost
from relayline.projections.projection import Event, body_of, data_of
from relayline.projections.valid import REWOUND

_LOST = "attempt.lost"
_MESSAGES = frozenset({"message.completed", "message.interrupted"})
_RESULTS = frozenset({"tool.completed", "tool.failed", "tool.cancelled", "tool.abandoned"})
_TYPES = frozenset({_LOST, REWOUND, *_MESSAGES, *_RESULTS, *TERMINAL_TYPES})
Call = tuple[int | None, str | None]
"""The step of a model call, or the id of a tool call."""


@dataclass(frozen=True)
class Losses:
    """The newest loss of each call that has not ended; a reset and the run's end clear it."""

    seq: int = 0
    """The newest event that could change it."""
    open: Mapping[Call, AttemptLost] = field(default_factory=dict)

    @property
    def worst(self) -> AttemptLost | None:
        """The loss that counts most against its call; None if none counts."""
        counted = (lost for lost in self.open.values() if lost.counted)
        return max(counted, key=lambda lost: lost.counted, default=None)

    def apply(self, event: Event) -> Losses:
        """This with one more event."""
        if event.seq <= self.seq or event.type not in _TYPES:
            return self
        if event.type == _LOST:
            lost = body_of(AttemptLost, event)
            call = (None, lost.call_id) if lost.call_id else (event.step, None)
            return Losses(event.seq, {**self.open, call: lost})
        if event.type in _MESSAGES:
            return self._without((event.step, None), event.seq)
        if event.type in _RESULTS:
            data = data_of(event)
            ended = None if data.get("retryable") else (None, str(data.get("call_id")))
            return self._without(ended, event.seq)
        return Losses(event.seq)

    def _without(self, ended: Call | None, seq: int) -> Losses:
        return Losses(seq, {call: lost for call, lost in self.open.items() if call != ended})
