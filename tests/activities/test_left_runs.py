"""A run that was begun in a task of the workflow that was lost, whose call then ends unrun."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio.testing import ActivityEnvironment

from relayline.activities.record import RecordActivities
from relayline.contracts.calls import RecordRequest
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.events import (
    ChildStarted,
    EventBody,
    RunQueued,
    StepStarted,
    ToolCancelled,
)
from relayline.contracts.keys import QUEUED_KEY, child_started_key, result_key
from relayline.journal.port import Journal
from relayline.journal.table import EVERY
from relayline.journal.terminal import read_all

CALL = "call_1_0"
NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("begun", [False, True])
async def test_it_has_its_end_unless_it_has_begun(journal: Journal, begun: bool) -> None:
    run, child = (f"run_{uuid4().hex}" for _ in range(2))
    queued = RunQueued(agent="helper", model="rehearsal", title="", submitted_at=NOW)
    body: EventBody = ChildStarted(call_id=CALL, run_id=child, agent="helper")
    await journal.append(child, [NewEvent(key=QUEUED_KEY, body=queued)])
    if begun:
        step = StepStarted(model="rehearsal")
        await journal.append(child, [NewEvent(key="0/step/1/started", body=step, step=1)])
    await journal.append(run, [NewEvent(key=child_started_key(0, CALL), body=body, step=1)])
    cancelled = ToolCancelled(call_id=CALL, name="ask_helper", acked_at=NOW)
    fact = NewEvent(key=result_key(0, CALL), body=cancelled, step=1)
    request = RecordRequest(run_id=run, epoch=0, outbox=Outbox(facts=(fact,)))
    for _ in range(2):
        await ActivityEnvironment().run(RecordActivities(journal).record_facts, request)
    types = [it.type for it in await read_all(journal, run, facts=True)]
    assert types == ["child.started", *["child.ended"] * (not begun), "tool.cancelled"]
    assert await journal.head(EVERY, child)
