"""A past comes into the journal whole or not at all, whoever writes it, on both adapters."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.record import RecordActivities
from relayline.contracts.calls import PastRequest, RewindRequest
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.events import (
    MessageCompleted,
    RunStarted,
    StepStarted,
    TurnCompleted,
    UserMessageEvent,
)
from relayline.contracts.keys import FORKED_KEY, past_scope
from relayline.contracts.runs import Limits, Past
from relayline.journal.port import SEALED, Appended, Fence, Journal, StaleAttempt
from relayline.journal.table import EVERY, Storage
from relayline.journal.terminal import read_all
from relayline.projections.transcript import transcript
from tests.journal.outbox import added, planned, queued

STARTED = RunStarted(agent="assistant", model="rehearsal", limits=Limits())
STEPS = 30


def talk(steps: int = STEPS) -> list[NewEvent]:
    """A conversation of so many turns, without its first event."""
    told = [NewEvent(key="0/run/started", body=STARTED)]
    for step in range(1, steps + 1):
        said = UserMessageEvent(text=f"question {step}", turn=step)
        answer = MessageCompleted(text=f"answer {step}", finish_reason="stop")
        over = TurnCompleted(turn=step, status="completed")
        told += [
            NewEvent(key=f"0/command/{step}/message", body=said),
            NewEvent(key=f"0/step/{step}/started", body=StepStarted(model="m"), step=step),
            NewEvent(key=f"0/step/{step}/message", body=answer, step=step),
            NewEvent(key=f"0/turn/{step}/completed", body=over, step=step),
        ]
    return told


async def source(table: Storage) -> tuple[str, int]:
    """A run, and its newest event."""
    run_id = f"run_{uuid4().hex}"
    placed = await table.append(run_id, [queued(open=True), *talk()])
    return run_id, placed[-1].seq


def request(run_id: str, seq: int, epoch: int = 0) -> PastRequest:
    facts = (
        queued(open=True, forked_from=run_id),
        NewEvent(key=f"{epoch}/run/started", body=STARTED),
        NewEvent(key=f"{epoch}/message/0", body=UserMessageEvent(text="next")),
    )
    past = Past(run_id=run_id, seq=seq, step=STEPS + 1, turn=STEPS + 1)
    return PastRequest(
        run_id=f"run_{uuid4().hex}",
        epoch=epoch,
        tenant="default",
        past=past,
        is_open=True,
        outbox=Outbox(facts=facts),
    )


async def record(journal: Journal, asked: PastRequest) -> None:
    await ActivityEnvironment().run(RecordActivities(journal).record_past, asked)


async def test_it_is_there_once_however_often_it_is_recorded(table: Storage) -> None:
    run_id, seq = await source(table)
    asked = request(run_id, seq)
    await asyncio.gather(*(record(table, asked) for _ in range(3)))
    await record(table, asked)
    events = await read_all(table, asked.run_id, facts=False)
    assert [it.type for it in events[:3]] == ["run.queued", "run.started", "run.forked"]
    assert events[-1].key == "0/message/0"
    assert len(events) == 3 + 4 * STEPS + 1
    origin = await read_all(table, run_id, facts=True)
    assert transcript(events[:-1]) == transcript(origin)
    assert len(origin) == seq


class Dies:
    """A journal whose appends of more than one event fail before or after they are written."""

    def __init__(self, journal: Journal, *, written: bool) -> None:
        self._journal = journal
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        if len(events) > 1:
            if self._written:
                await self._journal.append(run_id, events, fence)
            raise ConnectionError("killed")
        return await self._journal.append(run_id, events, fence)


@pytest.mark.parametrize("written", [False, True])
async def test_whoever_dies_leaves_all_of_it_or_nothing(table: Storage, *, written: bool) -> None:
    run_id, seq = await source(table)
    asked = request(run_id, seq)
    dies: Any = Dies(table, written=written)
    with pytest.raises(ConnectionError):
        await record(dies, asked)
    left = await read_all(table, asked.run_id, facts=True)
    assert len(left) == (4 + 4 * STEPS if written else 1)
    await record(table, asked)
    assert len(await read_all(table, asked.run_id, facts=True)) == 4 + 4 * STEPS


async def test_a_reset_leaves_the_past_and_shuts_out_who_has_not_recorded_it(
    table: Storage,
) -> None:
    run_id, seq = await source(table)
    activities, run = RecordActivities(table), ActivityEnvironment().run
    late, asked = request(run_id, seq), request(run_id, seq)
    await table.append(late.run_id, [queued()])
    await run(activities.rewind, RewindRequest(run_id=late.run_id, key="rewound/x/1"))
    assert await table.fenced(late.run_id, past_scope(0)) == SEALED
    with pytest.raises(ApplicationError) as refused:
        await record(table, late)
    assert isinstance(refused.value.__cause__, StaleAttempt)
    await record(table, late.model_copy(update={"epoch": 1}))

    await record(table, asked)
    known = ("run/queued", "0/run/started")
    await run(activities.rewind, RewindRequest(run_id=asked.run_id, known=known, key="rewound/y/1"))
    again = request(run_id, seq, epoch=1).model_copy(update={"run_id": asked.run_id})
    await record(table, again)
    for fork in (late, asked):
        listed = await table.listed(EVERY, fork.run_id)
        assert listed
        assert listed.row.step == STEPS
        events = await read_all(table, fork.run_id, facts=True)
        said = [it.text for it in transcript(events) if it.role == "user"]
        assert said == [*(f"question {step}" for step in range(1, STEPS + 1)), "next"]


async def test_a_run_that_is_gone_or_anothers_is_no_past(table: Storage) -> None:
    run_id, seq = await source(table)
    asked = request(run_id, seq)
    others = asked.model_copy(update={"tenant": "somebody"})
    gone = request(f"run_{uuid4().hex}", seq)
    for wrong in (others, gone):
        with pytest.raises(ApplicationError, match="gone from the journal") as refused:
            await record(table, wrong)
        assert refused.value.non_retryable
        assert await table.get(EVERY, wrong.run_id, FORKED_KEY) is None


async def test_nobody_is_told_of_a_past(table: Storage) -> None:
    run_id, seq = await source(table)
    receiver = await added(table)
    asked = request(run_id, seq)
    await record(table, asked)
    assert [it for it in await planned(table.webhooks, receiver) if it[0] == asked.run_id] == [
        (asked.run_id, 1)
    ]
