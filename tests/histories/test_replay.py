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
from relayline.workflows.submissions.batch import Batch
from relayline.workflows.submissions.submit import Submit
from relayline.workflows.webhooks.deliver import DeliverWebhook
from tests.histories.scenarios import BATCHES, SCENARIOS, SHIFTS, SUBMISSIONS, TELLING
from tests.workflows.mistaken import Mistaken

FOLDER = Path(__file__).parent
TASK_STARTED = "EVENT_TYPE_WORKFLOW_TASK_STARTED"


def replayer(*workflows: type) -> Replayer:
    """Replays inside the sandbox, which workers do without."""
    return Replayer(workflows=workflows, data_converter=data_converter)


@pytest.mark.parametrize(
    "name", [*(each.__name__ for each in SCENARIOS), *SHIFTS, *BATCHES, *SUBMISSIONS, TELLING]
)
async def test_recorded_history_replays(name: str) -> None:
    text = (FOLDER / f"{name}.json").read_text()
    history = WorkflowHistory.from_json(f"run_{name}", text)
    await replayer(AgentRun, Housekeeping, Batch, Submit, DeliverWebhook).replay_workflow(history)


async def test_workflow_code_that_breaks_the_rules_of_the_sandbox_does_not_replay() -> None:
    history = WorkflowHistory.from_json("run_happy_path", (FOLDER / "happy_path.json").read_text())
    with pytest.raises(RuntimeError, match=r"Cannot access time\.time"):
        await replayer(Mistaken).replay_workflow(history)


async def test_a_suggestion_that_nobody_was_given_changes_nothing() -> None:
    """Temporal writes one into the history of a task that it gave out without, the second time."""
    history = json.loads((FOLDER / "happy_path.json").read_text())
    tasks = [it for it in history["events"] if it["eventType"] == TASK_STARTED]
    for task in tasks:
        task["workflowTaskStartedEventAttributes"]["suggestContinueAsNew"] = True
    assert len(tasks) > 2
    await replayer(AgentRun).replay_workflow(WorkflowHistory.from_json("run_happy_path", history))
