"""What tools of MCP servers cost in Temporal's history: schemas are in the journal alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Worker

from relayline.activities.model.call import ModelActivities
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.activities.record import RecordActivities
from relayline.activities.tool.call import ToolActivities
from relayline.contracts.runs import AgentSpec, RunInput, RunStatus
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.workflows.agent_run import AgentRun
from tests.activities.fake_servers import FakeServers, served

TOOLS = 51
SCHEMA = {
    "type": "object",
    "properties": {f"field_{n}": {"type": "string", "description": "x" * 80} for n in range(6)},
}
MAX_STEP_BYTES, MAX_CALL_BYTES = 3000, 1500
FEW, MANY = 2, 12


class Size(NamedTuple):
    """Bytes of a history."""

    whole: int
    calls: int
    """Of the activities of tool calls."""


async def played(
    temporal: Client, journal: SqliteJournal, steps: int, bound: int = 8000
) -> tuple[FakeServers, WorkflowHistory]:
    """A run that calls a tool in each of so many steps, and the history of its last execution."""
    fake = FakeServers(*(served(f"tool_{n}", parameters=SCHEMA) for n in range(TOOLS)))
    run_id = f"run_{uuid4().hex}"
    tools = ToolActivities(journal, {}, servers=fake)
    worker = Worker(
        temporal,
        task_queue=run_id,
        workflows=[AgentRun],
        activities=[
            ModelActivities(journal, provider_for(ProviderConfig()), servers=fake).call_model,
            tools.call_tool,
            RecordActivities(journal).record_facts,
        ],
    )
    call = {"call": "notes_tool_7", "arguments": {"field_1": "one", "field_2": "two"}}
    script = json.dumps({"rehearse": [call] * steps + [{"say": "done"}]})
    agent = AgentSpec(name="clerk", model="rehearsal", mcp=("notes",))
    async with worker:
        handle = await temporal.start_workflow(
            AgentRun.run,
            RunInput(run_id=run_id, agent=agent, input=script, history_bound=bound),
            id=run_id,
            task_queue=run_id,
        )
        assert (await handle.result()).status is RunStatus.COMPLETED
    return fake, await temporal.get_workflow_handle(run_id).fetch_history()


async def bytes_of(temporal: Client, journal: SqliteJournal, steps: int) -> Size:
    """The size of such a run's history."""
    fake, history = await played(temporal, journal, steps)
    assert (len(fake.calls), len(fake.lists)) == (steps, 1)
    text = history.to_json()
    assert "field_1" not in text.replace("field_1=one", "")
    calls = {
        event.event_id
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "call_tool"
    }
    sizes = [(event.ByteSize(), bool(_activity_of(event) & calls)) for event in history.events]
    return Size(sum(size for size, _ in sizes), sum(size for size, called in sizes if called))


def _activity_of(event: HistoryEvent) -> set[int]:
    """Of which activity, by the event that scheduled it."""
    started, completed = (
        event.activity_task_started_event_attributes,
        event.activity_task_completed_event_attributes,
    )
    return {event.event_id, started.scheduled_event_id, completed.scheduled_event_id}


@pytest.mark.slow
async def test_a_step_with_51_tools_of_servers_takes_three_kilobytes_at_most(
    temporal: Client, tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    few, many = [await bytes_of(temporal, journal, steps) for steps in (FEW, MANY)]
    await journal.close()
    called = (many.calls - few.calls) / (MANY - FEW)
    each = (many.whole - few.whole) / (MANY - FEW) - called
    assert each <= MAX_STEP_BYTES, f"{each:.0f} bytes, and {called:.0f} for the call"
    assert called <= MAX_CALL_BYTES, f"{called:.0f} bytes"


@pytest.mark.slow
async def test_a_run_that_continues_as_new_keeps_the_tools_that_it_began_with(
    temporal: Client, tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    fake, history = await played(temporal, journal, MANY, bound=40)
    await journal.close()
    assert (len(fake.calls), len(fake.lists)) == (MANY, 1)
    assert len(history.events) < 100, "of its last execution"
