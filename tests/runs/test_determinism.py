"""Every path through the workflow, with each task replaying the whole history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.dev_stack import DevStack
from tests.histories import scenarios
from tests.histories.recorded import recorded_end
from tests.histories.scenarios import KILLING, SCENARIOS, Scenario
from tests.mcp_agents import MODULE

PARTS = 5
MENDED = {"fork_reset": "completed"}
"""What was recorded with a fault that is mended, and how it ends now."""


@pytest.fixture(scope="module")
async def uncached(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """A stack whose worker keeps no run in memory."""
    folder = tmp_path_factory.mktemp("uncached")
    given = {"RELAYLINE_PRICES": scenarios.PRICES, "RELAYLINE_CATALOG": MODULE}
    given |= {"RELAYLINE_MAX_CACHED_WORKFLOWS": "0", "ODD_FOLDER": str(folder)}
    async with DevStack(folder, **given) as stack:
        yield stack


async def played(stack: DevStack, scenario: Scenario) -> tuple[str, str]:
    """The scenario's name and how the run ended."""
    run = await stack.ended(await scenario(stack))
    return scenario.__name__, run["status"]


def expected(*played_ones: Scenario) -> dict[str, str]:
    """How each ended when it was recorded."""
    names = [scenario.__name__ for scenario in played_ones]
    return {name: MENDED.get(name) or recorded_end(name) for name in names}


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
