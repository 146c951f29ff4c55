"""The port to the beats of all workers, and to the calls that each of them holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol


def beats_path(journal: Path) -> Path:
    """The file of beats beside a SQLite journal: `journal-beats.db` for `journal.db`."""
    return journal.with_name(f"{journal.stem}-beats{journal.suffix}")


class Attempted(NamedTuple):
    """One attempt of a call."""

    run_id: str
    scope: str
    """Fence scope of the call."""
    attempt: int


class HeldCall(NamedTuple):
    """A call that a worker has begun and not ended."""

    attempted: Attempted
    activity_id: str
    task_token: bytes
    """Names this attempt to Temporal, and no other."""


class Beats(Protocol):
    """What the workers on one journal know of each other.

    Beats are not events: they wake no tail, need not survive a power failure, and are not in
    backups. All methods raise `JournalUnavailable` if the storage does not answer within about a
    second. For one event loop, which the SQLite adapter may block for that time.
    """

    async def beat(self, worker: str, counter: int) -> None:
        """Set the worker's counter."""
        ...

    async def counters(self) -> Mapping[str, int]:
        """The counter of every worker that has beaten and not left."""
        ...

    async def leave(self, worker: str) -> None:
        """Remove the worker; one that beats afterwards is there again."""
        ...

    async def held(self, worker: str) -> Sequence[HeldCall]:
        """The calls that the worker has begun and not ended; those that ended just now, too."""
        ...

    async def release(self, worker: str, ended: Collection[Attempted]) -> None:
        """Forget these calls of the worker; unknown ones are ignored."""
        ...

    async def tell(self, run_id: str) -> None:
        """Tell all workers that calls of this run may have to stop."""
        ...

    async def told(self, within_s: float) -> Collection[str]:
        """The runs that were told of since the last call; waits for the first, but not longer.

        A run that is told of while nobody waits is in the next answer; the first call begins.
        """
        ...

    async def close(self) -> None:
        """Drop the connections; safe to call twice."""
        ...
