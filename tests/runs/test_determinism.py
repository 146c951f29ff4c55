"""Every path through the workflow, with each task replaying the whole history."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.dev_stack import DevStack
from tests.histories import scenarios
from tests.histories.scenarios import SCENARIOS, Scenario

ENDS: dict[Scenario, str] = {
    scenarios.provider_refuses: "failed",
    scenarios.cancel_in_model: "cancelled",
    scenarios.cancel_in_tools: "cancelled",
    scenarios.cancel_while_paused: "cancelled",
    scenarios.out_of_steps: "failed",
    scenarios.out_of_tool_calls: "failed",
    scenarios.out_of_time: "failed",
}


async def test_every_scenario_ends_as_it_should_when_nothing_is_cached(tmp_path: Path) -> None:
    async def played(scenario: Scenario) -> tuple[str, str]:
        run = await stack.ended(await scenario(stack))
        return scenario.__name__, run["status"]

    async with DevStack(tmp_path, RELAYLINE_MAX_CACHED_WORKFLOWS="0") as stack:
        # the one that kills the worker goes last: alone, so that the others stay what they are
        others = [scenario for scenario in SCENARIOS if scenario is not scenarios.worker_killed]
        ended = [*await asyncio.gather(*map(played, others)), await played(scenarios.worker_killed)]
        log = (tmp_path / "logs" / "worker-1.log").read_text()
    assert dict(ended) == {s.__name__: ENDS.get(s, "completed") for s in SCENARIOS}
    assert "ondeterminis" not in log
