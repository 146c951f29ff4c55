"""How many runs of a tree may be open."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.family.calls import ChildActivities
from relayline.contracts.calls import PlannedCall
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import MessageCompleted, RunCompleted
from relayline.contracts.events.run import run_queued
from relayline.contracts.family.asking import MAX_OPEN, ChildBegun, ChildRequest
from relayline.contracts.keys import QUEUED_KEY, child_run_id, ended_key, message_key
from relayline.contracts.messages import ToolCall
from relayline.contracts.runs import AgentSpec, ParentCall, RunInput
from relayline.journal.table import EVERY, Storage
from relayline.journal.terminal import read_all

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def child(root: str, call_id: str) -> RunInput:
    """The run that this call of the top of a tree starts."""
    return RunInput(
        run_id=child_run_id(root, 0, call_id),
        agent=AgentSpec(name="helper", model="rehearsal"),
        input="",
        parent=ParentCall(run_id=root, call_id=call_id, root=root),
    )


async def begin(storage: Storage, root: str, call_id: str) -> ChildBegun:
    """What the activity answers."""
    given = child(root, call_id)
    call = PlannedCall(call_id=call_id, name="ask_helper", preview="")
    asked = ChildRequest(
        run_id=root, epoch=0, step=1, call=call, tool=None, child=given, submitted_at=NOW
    )
    return await ActivityEnvironment().run(ChildActivities(storage).begin_child, asked)


async def test_a_tree_with_as_many_open_runs_as_it_may_have_gets_no_further_one(
    table: Storage,
) -> None:
    root = f"run_{uuid4().hex}"
    names = [f"call_1_{number}" for number in range(MAX_OPEN + 1)]
    calls = tuple(
        ToolCall(call_id=it, name="ask_helper", arguments={"message": "hello"}) for it in names
    )
    said = MessageCompleted(text="", tool_calls=calls, finish_reason="tool_calls")
    await table.append(root, [NewEvent(key=message_key(0, 1), body=said, step=1)])
    for each in names[1:]:
        queued = NewEvent(key=QUEUED_KEY, body=run_queued(child(root, each), NOW))
        await table.append(child(root, each).run_id, [queued])

    with pytest.raises(ApplicationError) as refused:
        await begin(table, root, names[0])
    assert refused.value.type == ErrorType.TOO_MANY_CHILDREN
    assert refused.value.non_retryable
    assert str(MAX_OPEN) in refused.value.message
    assert await table.head(EVERY, child(root, names[0]).run_id) is None, "it was withdrawn"
    types = [it.type for it in await read_all(table, root, facts=True)]
    assert types == ["message.completed"]

    end = NewEvent(key=ended_key(0), body=RunCompleted(output=""))
    await table.append(child(root, names[1]).run_id, [end])
    assert (await begin(table, root, names[0])).message == "hello"
    assert (await begin(table, root, names[0])).message == "hello", "a repetition"
    types = [it.type for it in await read_all(table, root, facts=True)]
    assert types == ["message.completed", "child.started"]
