"""A run that its call has left, because a reset lies between the two starts, has an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from temporalio.client import WorkflowHistory
from temporalio.testing import ActivityEnvironment
from temporalio.worker import (
    Interceptor,
    Replayer,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

from relayline.activities.record import RecordActivities
from relayline.contracts.calls import RewindRequest
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ChildEnded, ChildStarted
from relayline.contracts.keys import child_started_key
from relayline.contracts.runs import RunStatus
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.terminal import read_all
from relayline.runtime.temporal import data_converter
from relayline.workflows.agent_run import AgentRun

HISTORY = Path(__file__).parents[1] / "histories" / "family_rewound_between.json"
LEFT = ChildEnded(call_id="call_1_0", run_id="run_below", status=RunStatus.CANCELLED)


class Asked(Interceptor):
    """Keeps what resets are recorded with."""

    requests: ClassVar[list[RewindRequest]] = []

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002  the SDK calls it so
    ) -> type[WorkflowInboundInterceptor]:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002
        Asked.requests += [it for it in input.args if isinstance(it, RewindRequest)]
        return super().start_activity(input)


async def test_a_reset_between_the_two_starts_is_recorded_with_the_run_that_was_left() -> None:
    Asked.requests.clear()
    history = WorkflowHistory.from_json("run_between", HISTORY.read_text())
    replayer = Replayer(
        workflows=[AgentRun],
        data_converter=data_converter,
        interceptors=[Asked()],
    )
    await replayer.replay_workflow(history)
    [request] = Asked.requests
    [left] = request.left
    assert (left.call_id, left.status) == ("call_1_0", RunStatus.CANCELLED)


@pytest.mark.parametrize("counts", [True, False])
async def test_it_ends_if_its_start_counts(tmp_path: Path, counts: bool) -> None:
    journal, run = SqliteJournal(tmp_path / "journal.db"), f"run_{uuid4().hex}"
    body = ChildStarted(call_id=LEFT.call_id, run_id=LEFT.run_id, agent="a")
    key = child_started_key(0, LEFT.call_id)
    await journal.append(run, [NewEvent(key=key, body=body, step=1)])
    known = (key,) if counts else ()
    request = RewindRequest(run_id=run, known=known, key="rewound/x/1", left=(LEFT,))
    for _ in range(2):
        told = await ActivityEnvironment().run(RecordActivities(journal).rewind, request)
        assert told.children == (() if counts else (LEFT.run_id,))
    stored = await read_all(journal, run, facts=True)
    await journal.close()
    expected = ["child.started", "run.rewound", *["child.ended"] * counts]
    assert [it.type for it in stored] == expected
