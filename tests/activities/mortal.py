"""Workers that can be killed, as far as the calls on them go; all share one file."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temporalio.testing import ActivityEnvironment

from relayline.activities.attempt import Attempt
from relayline.activities.suspects import MOST_STOPS, Begun, Called, Suspects
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.events import AttemptLost
from relayline.journal.port import Appended, Fence, JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY

RUN = "run_0123456789abcdef"


class Mortal(SqliteJournal):
    """The journal as a worker has it until it is killed."""

    dead = False

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        if self.dead:
            raise JournalUnavailable("killed")
        return await super().append(run_id, events, fence)


class Process:
    """A worker that can be killed; all share one file."""

    def __init__(
        self,
        path: Path,
        allowed: int = 3,
        most_stops: int = MOST_STOPS,
        turn_wait_s: float = 60,
    ) -> None:
        self.journal = Mortal(path / "journal.db")
        self._suspects = Suspects(allowed, most_stops=most_stops, turn_wait_s=turn_wait_s)
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._verdicts: dict[str, str | None] = {}

    async def begin(
        self, call: str, number: int, claim: str | None = None, *, model: bool = False
    ) -> ActivityEnvironment:
        """Begin an attempt, which then works until it is killed or ended."""
        env = ActivityEnvironment()
        env.info = dataclasses.replace(env.info, attempt=number)
        begun: asyncio.Future[Begun] = asyncio.get_running_loop().create_future()

        async def attempt() -> None:
            mine = Attempt(self.journal, RUN, 0, call)
            called = Called(1) if model else Called(1, call, "tool", claim)
            async with self._suspects.begun(mine, called, Outbox(), f"{call}/result") as it:
                begun.set_result(it)
                await asyncio.Event().wait()

        task = asyncio.ensure_future(env.run(attempt))
        self._tasks[call, number] = task
        either: list[asyncio.Future[Any]] = [task, begun]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        self._verdicts[call] = begun.result().verdict
        return env

    def verdict(self, call: str) -> str | None:
        return self._verdicts[call]

    async def kill(self) -> None:
        """All its calls end, and none can say so."""
        self.journal.dead = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.journal.close()

    async def cancel(self, call: str, number: int) -> None:
        """That attempt is cancelled, and the worker lives."""
        task = self._tasks.pop((call, number))
        task.cancel()
        await asyncio.wait({task})


async def losses(journal: SqliteJournal, call: str) -> list[tuple[int, int, int]]:
    """Attempt, losses and counted ones, as the journal tells them."""
    bodies = [event.body() for event in await journal.read(EVERY, RUN)]
    lost = (it for it in bodies if isinstance(it, AttemptLost) and it.call_id == call)
    return [(it.attempt, it.losses, it.counted) for it in lost]


async def killed(path: Path, number: int, *calls: str, allowed: int = 3) -> None:
    """A worker that is killed while it runs that attempt of these calls."""
    process = Process(path, allowed)
    for call in calls:
        await process.begin(call, number)
    await process.kill()
