"""Workers that die, stand still or are cut off: others take their calls over, and nothing twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from relayline.contracts.commands import Cancel
from relayline.journal.beats import beats_path
from relayline.journal.sqlite.beats import SqliteBeats
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.policy import HEARTBEAT_TIMEOUT
from tests.faults.crew import BOUND_S, STANDS_STILL, Cable, Crew, without_push
from tests.journal.storage import new_storage
from tests.own_temporal import own_temporal_server
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]
NET_S = HEARTBEAT_TIMEOUT.total_seconds()
WORDS = " ".join(f"word{number}" for number in range(200))
SPEECH = {"say": WORDS, "every_ms": 25}
NAP = {"call": "sleep", "arguments": {"seconds": 5}}
LONG_NAP = {"call": "sleep", "arguments": {"seconds": 100}}
DONE = {"say": "done"}


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    """Nobody is hired yet; the journal is SQLite."""
    storage = new_storage("sqlite", tmp_path, PostgresServer)
    async with own_temporal_server() as temporal, Crew(temporal, storage, tmp_path) as made:
        yield made


async def one_of_each(crew: Crew, run_id: str) -> None:
    """The run completed, and each of its calls ended once."""
    assert await crew.ended(run_id) == "run.completed"
    keys = [event.key for event in await crew.events(run_id) if event.key]
    assert len(keys) == len(set(keys))
    types = await crew.types(run_id)
    assert types.count("message.completed") == types.count("step.started")


async def test_a_killed_worker_s_calls_run_again_long_before_temporal_would_know(
    crew: Crew,
) -> None:
    await crew.hire()
    await crew.hire()
    runs = [await crew.start(SPEECH, DONE) for _ in range(4)]
    runs += [await crew.start(NAP, DONE) for _ in range(4)]
    for run in runs:
        await crew.seen(run, "tool.started" if run in runs[4:] else "message.delta")
    loop = asyncio.get_running_loop()
    victim, begun = await crew.holder_of(runs[0]), loop.time()
    victim.kill()
    lost = await crew.seen(runs[0], "attempt.lost")
    assert loop.time() - begun < NET_S / 2
    assert lost.attempt == 1
    for run in runs:
        await one_of_each(crew, run)


async def test_the_next_worker_takes_over_when_the_only_one_was_killed(crew: Crew) -> None:
    only = await crew.hire()
    run = await crew.start(NAP, DONE)
    await crew.seen(run, "tool.started")
    only.kill()
    await only.process.wait()
    await crew.hire()
    await crew.seen(run, "attempt.lost")
    await one_of_each(crew, run)


async def test_a_stopped_worker_s_calls_go_on_elsewhere_also_those_that_its_open_polls_take(
    crew: Crew,
) -> None:
    await crew.hire()
    await crew.hire()
    run = await crew.start(SPEECH, DONE)
    await crew.seen(run, "message.delta")
    stopped = await crew.holder_of(run)
    stopped.stop()
    later = [await crew.start(DONE) for _ in range(20)]
    async with asyncio.timeout(NET_S * 0.9):  # Temporal alone would take all of it
        for each in (run, *later):
            await crew.ended(each)
    stopped.go_on()
    after = await crew.start(SPEECH, DONE)
    for each in (run, *later, after):
        await one_of_each(crew, each)
    beats = SqliteBeats(Path(crew.storage.partition(":")[2]))
    async with asyncio.timeout(BOUND_S):
        while [it for worker in await beats.counters() for it in await beats.held(worker)]:
            await asyncio.sleep(0.05)
    await beats.close()


async def test_a_worker_that_stands_still_for_less_than_the_patience_keeps_its_calls(
    crew: Crew,
) -> None:
    hands = [await crew.hire(RELAYLINE_PATIENCE_S="8") for _ in range(2)]
    run = await crew.start(SPEECH, NAP, DONE)
    await crew.seen(run, "message.delta")
    stopped = await crew.holder_of(run)
    stopped.stop()
    await asyncio.sleep(2)
    stopped.go_on()
    await one_of_each(crew, run)
    assert "attempt.lost" not in await crew.types(run)
    assert not any(hand.said(STANDS_STILL) for hand in hands)


async def test_an_unsafe_tool_of_a_dead_worker_does_not_run_again(crew: Crew) -> None:
    await crew.hire()
    await crew.hire()
    run = await crew.start({"call": "charge", "arguments": {"seconds": 3}}, DONE)
    await crew.seen(run, "tool.started")
    (await crew.holder_of(run)).kill()
    await crew.seen(run, "input.requested")
    assert (await crew.types(run)).count("tool.started") == 1


async def test_while_nobody_can_beat_nobody_is_dead_and_nothing_begins(crew: Crew) -> None:
    hands = [await crew.hire() for _ in range(2)]
    run = await crew.start(SPEECH, DONE)
    await crew.seen(run, "message.delta")
    path = beats_path(Path(crew.storage.partition(":")[2]))
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    await crew.until(lambda: all(hand.said("beats are not written") for hand in hands))
    await asyncio.sleep(4)
    new = await crew.start(DONE)
    await asyncio.sleep(2)
    assert "message.delta" not in await crew.types(new)
    lock.execute("ROLLBACK")
    lock.close()
    for each in (run, new):
        await one_of_each(crew, each)
        assert "attempt.lost" not in await crew.types(each)
    assert not any(hand.said(STANDS_STILL) for hand in hands)


async def test_a_worker_cut_off_from_the_journal_loses_its_calls_and_writes_nothing_late(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    storage = new_storage("postgres", tmp_path, lambda: postgres)
    dsn = storage.partition(":")[2]
    async with (
        own_temporal_server() as temporal,
        Crew(temporal, storage, tmp_path) as crew,
        Cable(urlsplit(dsn).port or 0).laid() as cable,
    ):
        there = dsn.replace(f":{urlsplit(dsn).port}/", f":{cable.port}/")
        cut_off = await crew.hire(RELAYLINE_JOURNAL=there)
        run = await crew.start(LONG_NAP)
        speech = await crew.start({**SPEECH, "say": WORDS * 6}, DONE)
        await crew.seen(run, "tool.started")
        await crew.seen(speech, "message.delta")
        other = await crew.hire()
        cable.cut()
        await crew.seen(speech, "attempt.lost")
        await crew.seen(run, "attempt.lost")
        cable.mend()
        await one_of_each(crew, speech)
        assert other.said(STANDS_STILL)
        assert not cut_off.said(STANDS_STILL)
        await crew.run(run).signal(AgentRun.cancel, Cancel())
        assert await crew.ended(run) == "run.cancelled"


async def test_a_worker_cut_off_from_temporal_alone_is_not_dead(crew: Crew) -> None:
    host = crew.temporal.service_client.config.target_host
    async with Cable(int(host.rpartition(":")[2])).laid() as cable:
        cut_off = await crew.hire(TEMPORAL_ADDRESS=f"127.0.0.1:{cable.port}")
        run = await crew.start(NAP, DONE)
        await crew.seen(run, "tool.started")
        other = await crew.hire()
        cable.cut()
        await crew.seen(run, "tool.completed")
        await asyncio.sleep(3)
        cable.mend()
        await one_of_each(crew, run)
        assert not other.said(STANDS_STILL)
        assert not cut_off.said(STANDS_STILL)
        assert "attempt.lost" not in await crew.types(run)


async def test_a_tool_that_outlasts_an_old_heartbeat_time_out_runs_once(crew: Crew) -> None:
    """Older workers scheduled calls with 2.5 s; a call keeps to what it was scheduled with."""
    await crew.hire(RELAYLINE_HEARTBEAT_TIMEOUT_S="3")
    run = await crew.start({"call": "sleep", "arguments": {"seconds": 10}}, DONE)
    await one_of_each(crew, run)
    assert (await crew.types(run)).count("tool.started") == 1


async def test_a_worker_that_never_beats_is_not_judged(crew: Crew) -> None:
    """As one of an older version: it holds calls, and is in no table."""
    hand = await crew.hire()
    run = await crew.start(NAP, DONE)
    await crew.seen(run, "tool.started")
    beats = SqliteBeats(Path(crew.storage.partition(":")[2]))
    assert len(await beats.counters()) == 1
    await beats.close()
    await crew.hire()
    await one_of_each(crew, run)
    assert not hand.said(STANDS_STILL)


@pytest.mark.parametrize("reason", ["cancel", "time"])
async def test_where_temporal_can_t_push_the_journal_s_word_stops_a_call(
    tmp_path: Path, reason: str
) -> None:
    """A heartbeat in 20 s would come too late: the run gives a call 12 s to stop."""
    storage = new_storage("sqlite", tmp_path, PostgresServer)
    async with without_push() as temporal, Crew(temporal, storage, tmp_path) as crew:
        for _ in range(2):
            await crew.hire()
        limits = {"max_wall_s": 4} if reason == "time" else {}
        run = await crew.start(LONG_NAP, **limits)
        await crew.seen(run, "tool.started")
        if reason == "cancel":
            await crew.run(run).signal(AgentRun.cancel, Cancel())
        await crew.ended(run)
        types = await crew.types(run)
        assert "tool.cancelled" in types
        assert "tool.abandoned" not in types
