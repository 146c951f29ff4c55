"""A round notes in the runs table which runs make no progress."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from relayline.api.temporal.attention import QUIET
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.runs import AgentSpec, RunInput
from relayline.journal.table import EVERY
from tests.housekeeping.house import House


@pytest.mark.slow
async def test_a_round_notes_a_run_that_no_worker_takes_and_when_one_does(house: House) -> None:
    handle = await house.start("hang")
    agent = AgentSpec(name="assistant", model="rehearsal")
    queued = run_queued(RunInput(run_id=handle.id, agent=agent, input="hang"), datetime.now(UTC))
    await house.journal.append(handle.id, [NewEvent(key=QUEUED_KEY, body=queued)])
    await asyncio.sleep(QUIET.total_seconds() + 0.2)
    assert (await house.round()).noted >= 1
    assert await attention(house, handle.id) == "no worker"
    async with house.stand_ins(), asyncio.timeout(60):
        while await attention(house, handle.id):
            await house.round()
    await handle.terminate()


async def attention(house: House, run_id: str) -> str | None:
    found = await house.journal.listed(EVERY, run_id)
    assert found is not None
    return found.attention
