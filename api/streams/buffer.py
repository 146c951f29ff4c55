"""The newest frames of a followed run, encoded once for all of its viewers."""

from __future__ import annotations

from relayline.api.streams.frames import frame
from relayline.contracts.envelope import StoredEvent
from relayline.projections.selection import Selection

MAX_FRAMES = 2048
"""Frames that a channel keeps for its viewers; a viewer further behind reads the journal."""
MAX_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
"""A chunk ends with the first frame that exceeds this size."""


class Frames:
    """A bounded buffer of consecutive frames."""

    def __init__(self, after: int) -> None:
        self.first = after + 1
        """`seq` of the oldest frame in the buffer."""
        self.last = after
        """`seq` of the newest frame."""
        self._frames: list[bytes] = []
        self._types: list[str] = []
        self._bytes = 0
        self._asked = (-1, -1)
        self._answered = (b"", 0)

    def add(self, event: StoredEvent) -> None:
        """Add the next event."""
        encoded = frame(event)
        self._frames.append(encoded)
        self._types.append(event.type)
        self._bytes += len(encoded)
        self.last = event.seq

    def take(self, position: int, last: int | None = None) -> tuple[bytes, int]:
        """Frames after `position`, which must be in the buffer, and the newest one's `seq`.

        Args:
            position: The newest event that is known.
            last: The last event to take; None: all that fit into a chunk.
        """
        if last is not None and last < self.last:
            return self._cut(position, last)
        if (position, self.last) == self._asked:  # most viewers are at the same place
            return self._answered
        self._asked = (position, self.last)
        self._answered = self._cut(position, self.last)
        return self._answered

    def _cut(self, position: int, last: int) -> tuple[bytes, int]:
        """Frames after `position` to `last`, at most a chunk, and the newest one's `seq`."""
        start = end = position + 1 - self.first
        size = 0
        while end <= last - self.first and size < CHUNK_BYTES:
            size += len(self._frames[end])
            end += 1
        return b"".join(self._frames[start:end]), self.first + end - 1

    def take_selected(
        self, position: int, selection: Selection, last: int | None = None
    ) -> tuple[bytes, int]:
        """As `take`, without what is not selected; the `seq` is that of the last one looked at."""
        at, size = position + 1 - self.first, 0
        end = self.last if last is None else min(last, self.last)
        chunk: list[bytes] = []
        while at <= end - self.first and size < CHUNK_BYTES:
            if selection.has(self._types[at], self.first + at):
                chunk.append(self._frames[at])
                size += len(chunk[-1])
            at += 1
        return b"".join(chunk), self.first + at - 1

    def trim(self) -> None:
        """Drop the older half when the buffer is full: rare, so it costs little."""
        while len(self._frames) > MAX_FRAMES or (self._bytes > MAX_BYTES and len(self._frames) > 1):
            half = len(self._frames) // 2
            self._bytes -= sum(map(len, self._frames[:half]))
            del self._frames[:half], self._types[:half]
            self.first += half
