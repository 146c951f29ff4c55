"""Runs that were submitted and never started: an API process died in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunQueued
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY
from relayline.journal.table import EVERY
from tests.housekeeping.house import House, started
from tests.journal.test_batches import batch_of

NOW = datetime.now(UTC)
MINUTES = timedelta(minutes=2)


async def submitted(house: House, quiet: timedelta, **fields: object) -> str:
    """A run that has only `run.queued`, for so long."""
    run_id = f"run_{uuid4().hex}"
    given = {"agent": "assistant", "model": "rehearsal", "submitted_at": NOW, **fields}
    queued = NewEvent(key=QUEUED_KEY, body=RunQueued.model_validate(given))
    await house.journal.append(run_id, [queued])
    house.quieten(run_id, quiet)
    return run_id


async def test_a_run_that_was_never_started_is_withdrawn_after_a_minute(house: House) -> None:
    known = await house.start()
    await house.visible_open(known.id)
    lost, young = await submitted(house, MINUTES), await submitted(house, timedelta(seconds=30))
    assert (await house.round()).withdrawn == 1
    assert await house.journal.head(EVERY, lost) is None
    assert await house.journal.listed(EVERY, lost) is None
    assert await house.journal.listed(EVERY, young)


async def test_a_run_that_temporal_knows_or_that_has_begun_is_not_withdrawn(house: House) -> None:
    waiting = await house.start()
    await house.visible_open(waiting.id)
    queued = NewEvent(
        key=QUEUED_KEY, body=RunQueued(agent="assistant", model="rehearsal", submitted_at=NOW)
    )
    begun = f"run_{uuid4().hex}"
    await house.journal.append(waiting.id, [queued])
    await house.journal.append(begun, [queued, started()])
    for run_id in (waiting.id, begun):
        house.quieten(run_id, MINUTES)
    assert (await house.round()).withdrawn == 0
    assert [len(await house.events(run_id)) for run_id in (waiting.id, begun)] == [1, 2]


async def test_a_run_that_its_batch_will_start_is_left_alone_however_late(house: House) -> None:
    known = await house.start()
    await house.visible_open(known.id)
    batch, (run,) = batch_of(1)
    assert await house.journal.store_batch(batch, [run])
    await house.journal.append(run.run_id, [NewEvent(key=QUEUED_KEY, body=run_queued(run, NOW))])
    house.quieten(run.run_id, timedelta(days=30))
    assert (await house.round()).withdrawn == 0
    assert [event.type for event in await house.events(run.run_id)] == ["run.queued"]


async def test_a_run_for_later_that_was_never_started_is_withdrawn_too(house: House) -> None:
    known = await house.start()
    await house.visible_open(known.id)
    await submitted(house, MINUTES, start_at=NOW + timedelta(days=90))
    assert (await house.round()).withdrawn == 1
