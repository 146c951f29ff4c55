"""Which calls are given up because their workers die, and which are not."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.attempt import Attempt
from relayline.activities.suspects import Begun, Called, Past, Suspects, judged
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AttemptLost, ToolCompleted
from relayline.journal.port import Appended, Fence, JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal

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

    def __init__(self, path: Path, allowed: int = 3) -> None:
        self.journal = Mortal(path / "journal.db")
        self._suspects = Suspects(allowed, turn_wait_s=0.5)
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


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path / "journal.db")
    yield journal
    await journal.close()


async def losses(journal: SqliteJournal, call: str) -> list[tuple[int, int, int]]:
    """Attempt, losses and counted ones, as the journal tells them."""
    bodies = [event.body() for event in await journal.read(RUN)]
    lost = (it for it in bodies if isinstance(it, AttemptLost) and it.call_id == call)
    return [(it.attempt, it.losses, it.counted) for it in lost]


async def killed(path: Path, number: int, *calls: str, allowed: int = 3) -> None:
    """A worker that is killed while it runs that attempt of these calls."""
    process = Process(path, allowed)
    for call in calls:
        await process.begin(call, number)
    await process.kill()


async def test_a_call_that_takes_its_worker_along_again_and_again_is_given_up(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    for number in range(1, 5):
        await killed(tmp_path, number, "poison")
    process = Process(tmp_path)
    await process.begin("poison", 5)
    assert "tool has taken its worker along 3 times" in str(process.verdict("poison"))
    assert await losses(journal, "poison") == [(1, 1, 0), (2, 2, 1), (3, 3, 2), (4, 4, 3)]
    await process.kill()


async def test_the_setting_says_after_how_many_losses(tmp_path: Path) -> None:
    for number in (1, 2):
        await killed(tmp_path, number, "poison", allowed=1)
    process = Process(tmp_path, allowed=1)
    await process.begin("poison", 3)
    assert process.verdict("poison")
    await process.kill()


async def test_deaths_with_several_suspects_at_work_count_against_none(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    for number in (1, 2):
        await killed(tmp_path, number, "a", "b")
    process = Process(tmp_path)
    await process.begin("a", 3)
    assert await losses(journal, "a") == [(1, 1, 0), (2, 2, 0)]
    with pytest.raises(ApplicationError) as waits:
        await process.begin("b", 3)
    assert (waits.value.type, waits.value.non_retryable) == (ErrorType.SUSPECT_WAITS, False)
    await process.kill()
    process = Process(tmp_path)
    await process.begin("b", 4)
    assert await losses(journal, "a") == [(1, 1, 0), (2, 2, 0)], "not judged before it begins"
    assert await losses(journal, "b") == [(1, 1, 0), (2, 2, 0)], "it only waited when they died"
    await process.kill()


async def test_a_suspect_begins_as_soon_as_the_other_has_ended(tmp_path: Path) -> None:
    for number in (1, 2):
        await killed(tmp_path, number, "a", "b")
    process = Process(tmp_path)
    await process.begin("a", 3)
    begins = asyncio.create_task(process.begin("b", 3))
    await asyncio.sleep(0.01)
    assert not begins.done()
    await process.cancel("a", 3)
    await begins
    await process.kill()


async def test_a_tool_has_its_turn_before_a_model_call(tmp_path: Path) -> None:
    for number in (1, 2):
        await killed(tmp_path, number, "a", "model", "tool")
    process = Process(tmp_path)
    await process.begin("a", 3)
    model = asyncio.create_task(process.begin("model", 3, model=True))
    await asyncio.sleep(0.02)
    tool = asyncio.create_task(process.begin("tool", 3))
    await asyncio.sleep(0.02)
    await process.cancel("a", 3)
    await tool
    assert not model.done()
    await process.cancel("tool", 3)
    await model
    await process.kill()


async def test_a_call_that_is_no_suspect_runs_beside_one(tmp_path: Path) -> None:
    for number in (1, 2):
        await killed(tmp_path, number, "a")
    process = Process(tmp_path)
    await process.begin("a", 3)
    await process.begin("fresh", 1)
    await process.kill()


async def test_a_stopping_worker_takes_no_call_along_even_if_it_is_killed_then(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    process = Process(tmp_path)
    env = await process.begin("a", 1)
    env.worker_shutdown()
    async with asyncio.timeout(5):
        while not await journal.fenced(RUN, "a/left"):
            await asyncio.sleep(0.005)
    await process.kill()
    await killed(tmp_path, 2, "a")
    assert await losses(journal, "a") == []


async def test_an_attempt_that_is_cancelled_or_fails_is_not_lost(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    process = Process(tmp_path)
    await process.begin("a", 1)
    await process.cancel("a", 1)
    await process.kill()
    await killed(tmp_path, 2, "a")
    assert await losses(journal, "a") == []


async def test_a_call_that_still_runs_in_this_process_is_not_lost(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    process = Process(tmp_path)
    await process.begin("a", 1)
    await process.begin("a", 2)
    assert await losses(journal, "a") == []
    await process.kill()


async def test_a_call_that_has_ended_or_may_not_run_again_is_no_suspect(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    await killed(tmp_path, 1, "a", "b")
    body = ToolCompleted(call_id="a", name="tool", output="")
    for key in ("a/result", "b/claim"):
        await journal.append(RUN, [NewEvent(body=body, key=key)])
    process = Process(tmp_path)
    await process.begin("a", 2)
    await process.begin("b", 2, claim="b/claim")
    assert await losses(journal, "a") == await losses(journal, "b") == []
    await process.kill()


fates = st.sampled_from(["dies", "dies together", "leaves", "never begins"])


@given(st.lists(fates, max_size=12))
def test_only_deaths_as_the_sole_suspect_count(lives: list[str]) -> None:
    past, deaths = Past(), 0
    for number, fate in enumerate(lives, 1):
        standing = judged(past, number)
        assert standing.losses == deaths
        if fate == "never begins":
            continue
        assert (standing.lost is None) or standing.lost == past.begun
        deaths += fate.startswith("dies")
        past = past._replace(
            losses=standing.losses,
            counted=standing.counted,
            begun=number,
            left=number if fate == "leaves" else past.left,
            together=number if fate == "dies together" else past.together,
        )
    sole = [fate for fate in lives if fate.startswith("dies")][1:].count("dies")
    assert judged(past, len(lives) + 1).counted == sole


@given(st.builds(Past, *[st.integers(0, 4)] * 5), st.integers(1, 5))
def test_whoever_lives_loses_nothing(past: Past, attempt: int) -> None:
    assert judged(past, attempt, alive=True) == (past.losses, past.counted, None)
