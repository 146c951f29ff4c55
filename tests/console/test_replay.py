"""Histories: fetched, read from files, replayed, and where they part from the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHistory

from relayline.activities.model.call import ModelActivities
from relayline.console.replay import HistoryUnavailable, WorkflowCode, fetch, read, replay
from relayline.contracts.runs import TASK_QUEUE, AgentSpec, RunInput
from relayline.workflows.agent_run import AgentRun
from tests.console.test_cli import relayline
from tests.histories.record import FOLDER
from tests.workflows.mistaken import Mistaken

pytestmark = pytest.mark.slow

GOLDEN = json.loads((FOLDER / "happy_path.json").read_text())
CODE = WorkflowCode(AgentRun, ModelActivities.call_model.__name__)
ACTIVITY = "activityTaskScheduledEventAttributes"


def activities(history: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in history["events"] if ACTIVITY in event]


def copy() -> dict[str, Any]:
    fresh: dict[str, Any] = json.loads(json.dumps(GOLDEN))
    return fresh


def as_history(history: dict[str, Any]) -> WorkflowHistory:
    return WorkflowHistory.from_json("run_0123456789abcdef", json.dumps(history))


async def test_a_history_of_this_code_replays_and_its_steps_are_counted() -> None:
    outcome = await replay(as_history(GOLDEN), CODE)
    calls = [event[ACTIVITY]["activityType"]["name"] for event in activities(GOLDEN)]
    assert outcome.divergence is None
    assert (outcome.events, outcome.steps) == (len(GOLDEN["events"]), calls.count("call_model"))


@pytest.mark.parametrize(("index", "step"), [(0, 0), (1, 1), (2, 1), (3, 2)])
async def test_a_history_with_another_activity_diverges_at_that_event(
    index: int, step: int
) -> None:
    history = copy()
    event = activities(history)[index]
    event[ACTIVITY]["activityType"]["name"] = "other"
    found = (await replay(as_history(history), CODE)).divergence
    assert found is not None
    assert (found.event_id, found.step) == (int(event["eventId"]), step)
    assert found.event == "activity task scheduled (other)"
    assert found.message.startswith("[TMPRL1100] Nondeterminism error")
    assert "'other'" in found.message


async def test_code_that_breaks_the_rules_of_the_sandbox_diverges() -> None:
    """Workers do without the sandbox, a replay does not."""
    broken = WorkflowCode(Mistaken, CODE.model_activity)
    found = (await replay(as_history(GOLDEN), broken)).divergence
    assert found is not None
    assert found.message.startswith("Cannot access time.time")


async def test_a_history_that_ended_sooner_diverges_at_its_end() -> None:
    history = copy()
    cut = history["events"].index(activities(history)[1])
    end = history["events"][-1] | {"eventId": str(cut + 1)}
    history["events"][cut:] = [end]
    found = (await replay(as_history(history), CODE)).divergence
    assert found is not None
    assert (found.event_id, found.step) == (cut + 1, 1)
    assert found.event == "workflow execution completed"


@pytest.mark.parametrize("count", [1, 2, 3, 10])
async def test_a_history_of_a_run_that_goes_on_replays_as_far_as_it_is(count: int) -> None:
    history = copy()
    del history["events"][count:]
    outcome = await replay(as_history(history), CODE)
    assert (outcome.events, outcome.divergence) == (count, None)


def test_a_file_is_read_with_the_id_of_its_run(tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    file.write_text(json.dumps(GOLDEN))
    started = GOLDEN["events"][0]["workflowExecutionStartedEventAttributes"]
    assert read(file).workflow_id == started["workflowId"]


@pytest.mark.parametrize(
    "content",
    ["", "nonsense", "[]", "3", "{}", '{"events": 1}', '{"events": []}', '{"events": [{"x": 1}]}'],
)
def test_a_file_without_a_history_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "no.json"
    file.write_text(content)
    with pytest.raises(HistoryUnavailable, match=r"no\.json holds no Temporal history"):
        read(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryUnavailable, match="can't be read"):
        read(tmp_path)


async def test_a_history_is_fetched_from_the_configured_temporal(
    temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.service_client.config.target_host)
    run_id = f"run_{uuid4().hex}"
    run_input = RunInput(run_id=run_id, agent=AgentSpec(name="a", model="rehearsal"), input="hi")
    queue = f"{TASK_QUEUE}-{run_id}"
    handle = await temporal.start_workflow(AgentRun.run, run_input, id=run_id, task_queue=queue)
    history = await fetch(run_id)
    await handle.terminate()
    assert [event.event_id for event in history.events] == [1, 2]
    assert (await replay(history, CODE)).steps == 0
    with pytest.raises(HistoryUnavailable, match="knows no run 'run_none'"):
        await fetch("run_none")


async def test_an_export_that_can_not_be_written_names_its_file(temporal: Client) -> None:
    run_id = f"run_{uuid4().hex}"
    run_input = RunInput(run_id=run_id, agent=AgentSpec(name="a", model="rehearsal"), input="hi")
    queue = f"{TASK_QUEUE}-{run_id}"
    handle = await temporal.start_workflow(AgentRun.run, run_input, id=run_id, task_queue=queue)
    env = {"TEMPORAL_ADDRESS": temporal.service_client.config.target_host}
    ended = await relayline("export", run_id, "--output", "/proc/none/x.json", env=env)
    await handle.terminate()
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "relayline: /proc/none/x.json can't be written (No such file or directory): "
        "choose another file\n"
    )
