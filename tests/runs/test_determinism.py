"""Every path through the workflow, with each task replaying the whole history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.dev_stack import DevStack
from tests.histories import fallback_scenarios as fallback
from tests.histories import family_scenarios as family
from tests.histories import past_scenarios as past
from tests.histories import patched_scenarios as patched
from tests.histories import scenarios
from tests.histories import steering_scenarios as steering
from tests.histories import turn_scenarios as turning
from tests.histories.scenarios import KILLING, SCENARIOS, Scenario

PARTS = 5
ENDS: dict[Scenario, str] = {
    scenarios.provider_refuses: "failed",
    scenarios.cancel_in_model: "cancelled",
    scenarios.cancel_in_tools: "cancelled",
    scenarios.cancel_while_paused: "cancelled",
    scenarios.scheduled_cancelled: "cancelled",
    scenarios.out_of_steps: "failed",
    scenarios.out_of_tool_calls: "failed",
    scenarios.out_of_time: "failed",
    scenarios.out_of_money: "failed",
    steering.cancel_while_waiting: "cancelled",
    steering.budget_raised: "failed",
    steering.outcome_stop: "cancelled",
    turning.turn_redirected: "cancelled",
    turning.todays_agent: "cancelled",
    patched.stop_told: "cancelled",
    past.past_gone: "failed",
    family.family_spent: "failed",
    family.family_cancelled: "cancelled",
    fallback.all_unavailable: "failed",
}


@pytest.fixture(scope="module")
async def uncached(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """A stack whose worker keeps no run in memory."""
    folder = tmp_path_factory.mktemp("uncached")
    prices = {"RELAYLINE_PRICES": scenarios.PRICES}
    async with DevStack(folder, RELAYLINE_MAX_CACHED_WORKFLOWS="0", **prices) as stack:
        yield stack


async def played(stack: DevStack, scenario: Scenario) -> tuple[str, str]:
    """The scenario's name and how the run ended."""
    run = await stack.ended(await scenario(stack))
    return scenario.__name__, run["status"]


def expected(*played_ones: Scenario) -> dict[str, str]:
    """How each should end."""
    return {scenario.__name__: ENDS.get(scenario, "completed") for scenario in played_ones}


def diverged(stack: DevStack) -> bool:
    """Whether a worker has found that a history does not fit the code."""
    return "ondeterminis" in (stack.data_dir / "logs" / "worker-1.log").read_text()


@pytest.mark.parametrize("part", range(PARTS))
async def test_every_scenario_ends_as_it_should_when_nothing_is_cached(
    uncached: DevStack, part: int
) -> None:
    unharmed = [scenario for scenario in SCENARIOS if scenario not in KILLING][part::PARTS]
    ended = await asyncio.gather(*(played(uncached, scenario) for scenario in unharmed))
    assert dict(ended) == expected(*unharmed)
    assert not diverged(uncached)


@pytest.mark.parametrize("scenario", KILLING, ids=lambda scenario: scenario.__name__)
async def test_a_run_whose_worker_dies_ends_as_it_should_when_nothing_is_cached(
    uncached: DevStack, scenario: Scenario
) -> None:
    assert dict([await played(uncached, scenario)]) == expected(scenario)
    assert not diverged(uncached)
