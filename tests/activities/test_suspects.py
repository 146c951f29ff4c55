"""Which calls are given up because their workers die, and which are not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from relayline.activities.standing import FEW, Past, Standing, judged
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ToolCompleted
from relayline.journal.sqlite.journal import SqliteJournal
from tests.activities.mortal import RUN, Process, killed, losses


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
    for number in (1, 2, 3):
        await killed(tmp_path, number, "a", "b")
    process = Process(tmp_path, turn_wait_s=0.5)
    await process.begin("a", 4)
    thrice = [(1, 1, 0), (2, 2, 0), (3, 3, 0)]
    assert await losses(journal, "a") == thrice
    with pytest.raises(ApplicationError) as waits:
        await process.begin("b", 4)
    assert (waits.value.type, waits.value.non_retryable) == (ErrorType.SUSPECT_WAITS, False)
    await process.kill()
    process = Process(tmp_path)
    await process.begin("b", 5)
    assert await losses(journal, "a") == thrice, "not judged before it begins"
    assert await losses(journal, "b") == thrice, "it only waited when they died"
    await process.kill()


async def test_suspects_that_were_lost_twice_run_a_few_at_a_time(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    calls = [f"call {number}" for number in range(FEW + 1)]
    for number in (1, 2):
        await killed(tmp_path, number, *calls)
    process = Process(tmp_path)
    for call in calls[:FEW]:
        await process.begin(call, 3)
    waits = asyncio.create_task(process.begin(calls[FEW], 3))
    await asyncio.sleep(0.05)
    assert not waits.done()
    await process.cancel(calls[0], 3)
    await waits
    await process.kill()
    process = Process(tmp_path)
    await process.begin(calls[1], 4)
    assert (await losses(journal, calls[1]))[-1] == (3, 3, 0), "it was in company"
    await process.kill()


async def test_beside_a_few_that_were_lost_twice_no_other_suspect_begins(tmp_path: Path) -> None:
    calls = [f"call {number}" for number in range(FEW)]
    for number in (1, 2):
        await killed(tmp_path, number, *calls)
    await killed(tmp_path, 1, "once")
    process = Process(tmp_path, turn_wait_s=0.5)
    for call in calls:
        await process.begin(call, 3)
    with pytest.raises(ApplicationError, match="another such call is at work"):
        await process.begin("once", 2)
    await process.begin("fresh", 1)
    await process.kill()


async def test_a_suspect_begins_as_soon_as_the_other_has_ended(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        await killed(tmp_path, number, "a", "b")
    process = Process(tmp_path)
    await process.begin("a", 4)
    begins = asyncio.create_task(process.begin("b", 4))
    await asyncio.sleep(0.01)
    assert not begins.done()
    await process.cancel("a", 4)
    await begins
    await process.kill()


async def test_a_tool_has_its_turn_before_a_model_call(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        await killed(tmp_path, number, "a", "model", "tool")
    process = Process(tmp_path)
    await process.begin("a", 4)
    model = asyncio.create_task(process.begin("model", 4, model=True))
    await asyncio.sleep(0.02)
    tool = asyncio.create_task(process.begin("tool", 4))
    await asyncio.sleep(0.02)
    await process.cancel("a", 4)
    await tool
    assert not model.done()
    await process.cancel("tool", 4)
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
    assert judged(past, attempt, alive=True) == Standing(past.losses, past.counted)
