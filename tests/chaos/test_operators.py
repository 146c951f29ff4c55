"""Where operators reset runs to."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from tests.chaos.operators import places

HISTORIES = Path(__file__).parents[1] / "histories"


@pytest.mark.parametrize("name", ["happy_path", "cancel_in_model", "continued"])
def test_a_run_that_has_ended_is_not_reset_to_its_very_end(name: str) -> None:
    history = WorkflowHistory.from_json("run", (HISTORIES / f"{name}.json").read_text())
    found = places(history.events)
    last = max(
        event.event_id
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    )
    assert found, "there are others"
    assert last not in found
    assert places(history.events[:-1]) == [*found, last], "as long as it has not ended"
