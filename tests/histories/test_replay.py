"""Every recorded history replays against the code as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from relayline.runtime.temporal import data_converter
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.housekeeping import Housekeeping
from tests.histories.scenarios import SCENARIOS, SHIFTS

FOLDER = Path(__file__).parent
TASK_STARTED = "EVENT_TYPE_WORKFLOW_TASK_STARTED"


@pytest.mark.parametrize("name", [*(each.__name__ for each in SCENARIOS), *SHIFTS])
async def test_recorded_history_replays(name: str) -> None:
    text = (FOLDER / f"{name}.json").read_text()
    replayer = Replayer(workflows=[AgentRun, Housekeeping], data_converter=data_converter)
    await replayer.replay_workflow(WorkflowHistory.from_json(f"run_{name}", text))


async def test_a_suggestion_that_nobody_was_given_changes_nothing() -> None:
    """Temporal writes one into the history of a task that it gave out without, the second time."""
    history = json.loads((FOLDER / "happy_path.json").read_text())
    tasks = [it for it in history["events"] if it["eventType"] == TASK_STARTED]
    for task in tasks:
        task["workflowTaskStartedEventAttributes"]["suggestContinueAsNew"] = True
    replayer = Replayer(workflows=[AgentRun], data_converter=data_converter)
    assert len(tasks) > 2
    await replayer.replay_workflow(WorkflowHistory.from_json("run_happy_path", history))
