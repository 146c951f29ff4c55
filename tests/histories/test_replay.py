"""Every recorded history replays against the code as it is."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from relayline.runtime.temporal import data_converter
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.housekeeping import Housekeeping
from relayline.workflows.submissions.batch import Batch
from relayline.workflows.submissions.submit import Submit
from relayline.workflows.webhooks.deliver import DeliverWebhook
from tests.histories.family_scenarios import OLDER_FAMILIES
from tests.histories.patched_scenarios import SUGGESTED
from tests.histories.scenarios import BATCHES, SCENARIOS, SHIFTS, SUBMISSIONS, TELLING
from tests.workflows.mistaken import Mistaken

FOLDER = Path(__file__).parent
WORKFLOWS = FOLDER.parents[1] / "workflows"
TASK_STARTED = "EVENT_TYPE_WORKFLOW_TASK_STARTED"


def replayer(*workflows: type) -> Replayer:
    """Replays inside the sandbox, which workers do without."""
    return Replayer(workflows=workflows, data_converter=data_converter)


WORKFLOWS_BY_NAME = {
    it.__name__: it for it in (AgentRun, Housekeeping, Batch, Submit, DeliverWebhook)
}
"""A replay loads the code of the one that the history is of: a sandbox takes a while to load."""
NAMES = [
    *(each.__name__ for each in SCENARIOS),
    *(*SHIFTS, *BATCHES, *SUBMISSIONS, TELLING, SUGGESTED, *OLDER_FAMILIES),
]


@pytest.mark.parametrize("name", NAMES)
async def test_recorded_history_replays(name: str) -> None:
    text = (FOLDER / f"{name}.json").read_text()
    history = WorkflowHistory.from_json(f"run_{name}", text)
    began = history.events[0].workflow_execution_started_event_attributes
    await replayer(WORKFLOWS_BY_NAME[began.workflow_type.name]).replay_workflow(history)


async def test_swapped_calls_of_one_tool_do_not_replay() -> None:
    """Temporal tells calls apart by the ids of their activities, so it notices."""
    history = json.loads((FOLDER / "named_calls.json").read_text())
    found = [it.get("activityTaskScheduledEventAttributes", {}) for it in history["events"]]
    calls = [it for it in found if it.get("activityType", {}).get("name") == "call_tool"]
    assert [it["activityId"] for it in calls] == ["0/call_1_0/0", "0/call_1_1/0"]
    assert "0/step/2" in {it.get("activityId") for it in found}
    calls[0]["activityId"], calls[1]["activityId"] = "0/call_1_1/0", "0/call_1_0/0"
    with pytest.raises(NondeterminismError):
        await replayer(AgentRun).replay_workflow(
            WorkflowHistory.from_json("run_named_calls", history)
        )


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


def patches() -> Iterator[str]:
    """A pattern for each patch id in `workflows/`; a value in it that varies is a number."""
    for path in WORKFLOWS.rglob("*.py"):
        tree = ast.parse(path.read_text())
        constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "workflow.patched":
                [given] = node.args
                yield pattern(constants[given.id] if isinstance(given, ast.Name) else given)


def pattern(given: ast.expr) -> str:
    """A pattern for the patch id that this expression makes."""
    parts = given.values if isinstance(given, ast.JoinedStr) else [given]
    texts = (re.escape(str(it.value)) if isinstance(it, ast.Constant) else r"\d+" for it in parts)
    return "".join(texts)


def recorded_patches(path: Path) -> Iterator[str]:
    """The patch ids in a recorded history."""
    for event in json.loads(path.read_text())["events"]:
        marker = event.get("markerRecordedEventAttributes", {})
        if marker.get("markerName") == "core_patch":
            [data] = marker["details"]["patch-data"]["payloads"]
            yield json.loads(base64.b64decode(data["data"]))["id"]


def test_each_patch_is_in_a_recorded_history() -> None:
    recorded = {patch for path in FOLDER.glob("*.json") for patch in recorded_patches(path)}
    wanted = set(patches())
    assert len(wanted) >= 6
    missing = {it for it in wanted if not any(re.fullmatch(it, found) for found in recorded)}
    assert not missing, "record a history that meets each: docs/develop/how-to.md"
