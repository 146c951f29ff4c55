"""A provider that is down: another model answers, whoever dies meanwhile."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.contracts.envelope import Envelope
from relayline.contracts.messages import Usage
from relayline.contracts.runs import (
    TASK_QUEUE,
    AgentSpec,
    ModelSettings,
    RunInput,
    RunResult,
    RunStatus,
)
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from relayline.projections.rendered import render
from relayline.runtime.settings import Settings
from relayline.worker import build_worker
from relayline.workflows.agent_run import AgentRun
from tests.activities.model.providers.stand_in import serving
from tests.dev_stack import DevStack
from tests.histories.fallback_scenarios import down

TEXT = " ".join(f"word{index}" for index in range(100))
SPARE = "rehearsal:spare"


@pytest.mark.slow
async def test_a_call_crosses_to_the_queue_of_another_provider(
    temporal: Client, tmp_path: Path
) -> None:
    run_id, journal = f"run_{uuid4().hex}", SqliteJournal(tmp_path / "journal.db")
    agent = AgentSpec(
        name="tested",
        model="compatible:503",
        fallbacks=("compatible:500", "local"),
        settings=ModelSettings(temperature=0.5),
    )
    async with serving() as server:
        config = ProviderConfig(compatible_base_url=server.url, local_base_url=server.url)
        async with (
            aclosing(provider_for(config)) as providers,
            build_worker(temporal, journal, providers, Settings()),
        ):
            result: RunResult = await temporal.execute_workflow(
                AgentRun.run,
                RunInput(run_id=run_id, agent=agent, input="hi"),
                id=run_id,
                task_queue=TASK_QUEUE,
            )
        asked = [(it["model"], it["temperature"]) for it in server.requests]
    assert (result.status, result.preview, result.steps) == (RunStatus.COMPLETED, "Hello, you", 1)
    assert asked == [*[("503", 0.5)] * 3, *[("500", 0.5)] * 3, ("local", 0.5)]
    assert result.usage == Usage(input_tokens=11, output_tokens=7)
    events = await journal.read(EVERY, run_id)
    await journal.close()
    told = [(it.step, it.attempt) for it in events if it.type == "model.fallback"]
    assert told == [(1, 3), (1, 6)]


@pytest.mark.parametrize("point", ["attempt.failed", "model.fallback", "message.delta"])
async def test_a_worker_killed_around_a_fallback_costs_nothing(stack: DevStack, point: str) -> None:
    script = (down("rehearsal"), {"say": TEXT, "every_ms": 30})
    run_id = await stack.submit(*script, agent="spared")
    await stack.seen(run_id, point)
    stack.kill_worker()
    run = await stack.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", TEXT)
    events = [Envelope.model_validate(it) for it in await stack.events(run_id)]
    types = Counter(event.type for event in events)
    assert (types["model.fallback"], types["message.completed"]) == (1, 1)
    [fallback] = [event for event in events if event.type == "model.fallback"]
    assert (fallback.data["from"], fallback.data["to"]) == ("rehearsal", SPARE)
    spoken = [event.attempt or 0 for event in events if event.type == "message.delta"]
    assert spoken == sorted(spoken)
    assert min(spoken) > (fallback.attempt or 0)
    rendered = render(events)
    assert (rendered.text(1), rendered.usage.output_tokens) == (TEXT, run["usage"]["output_tokens"])


async def test_a_run_whose_models_are_all_down_says_which_was_the_last(stack: DevStack) -> None:
    names = ("rehearsal", SPARE, "rehearsal:last")
    run_id = await stack.submit(*map(down, names), {"say": "never"}, agent="spared")
    run = await stack.ended(run_id)
    assert (run["status"], run["error"]["type"]) == ("failed", "model-unavailable")
    assert "failed 8 times" in run["error"]["message"]
