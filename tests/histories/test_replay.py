"""Every recorded history replays against the code as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from temporal_client import data_converter
from tests.histories.scenarios import HOUSEKEEPING, SCENARIOS
from workflows.agent_run import AgentRun
from workflows.housekeeping import Housekeeping

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("name", [*(each.__name__ for each in SCENARIOS), HOUSEKEEPING])
async def test_recorded_history_replays(name: str) -> None:
    text = (FOLDER / f"{name}.json").read_text()
    replayer = Replayer(workflows=[AgentRun, Housekeeping], data_converter=data_converter)
    await replayer.replay_workflow(WorkflowHistory.from_json(f"run_{name}", text))
