"""What a tool is told of the run that calls it, and the secrets that it may read."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from relayline.catalog.tools import ToolContext, tool
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunQueued, StepStarted
from relayline.contracts.keys import QUEUED_KEY, started_key
from relayline.runtime.redaction import HIDDEN, Redactor
from tests.activities.tool.conftest import Bench, failure

KEY = "crm-token-0123456789"
QUEUED = RunQueued(
    agent="clerk",
    model="rehearsal",
    user="ann",
    metadata={"team": "blue"},
    submitted_at=datetime.now(UTC),
)


@tool
async def tells(context: ToolContext) -> dict[str, Any]:
    """Tell for whom it works."""
    return {
        "of": [context.run_id, context.step, context.turn, context.agent],
        "for": [context.tenant, context.user, dict(context.metadata)],
        "key": context.idempotency_key,
    }


@tool(retries=0)
def reads(context: ToolContext, name: str) -> str:
    """Give a secret away."""
    token = context.secrets(name)
    context.log.info("using %s", token)
    return f"the token is {token}"


async def test_a_tool_knows_for_whom_it_works(bench: Bench) -> None:
    started = NewEvent(key=started_key(0, 1), step=1, body=StepStarted(model="m", turn=2))
    await bench.journal.append(bench.run_id, [NewEvent(key=QUEUED_KEY, body=QUEUED), started])
    await bench.run(tells)
    told = json.loads((await bench.result()).output)
    assert told["of"] == [bench.run_id, 1, 2, "clerk"]
    assert told["for"] == ["default", "ann", {"team": "blue"}]
    assert told["key"].startswith(f"{bench.run_id}/")


async def test_without_the_facts_of_its_start_a_tool_runs_all_the_same(bench: Bench) -> None:
    await bench.run(tells)
    told = json.loads((await bench.result()).output)
    assert told["of"] == [bench.run_id, 1, None, ""]
    assert told["for"] == ["default", "", {}]


async def test_a_secret_is_read_by_name_and_stays_out_of_results(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "relayline.tools.reads")
    await bench.plan("reads", {"name": "crm"})
    clean = Redactor([KEY]).clean
    await bench.call(reads, secrets={"crm": KEY}, clean=clean)
    assert (await bench.result()).output == f"the token is {HIDDEN}"
    [line] = [it for it in caplog.records if it.name == "relayline.tools.reads"]
    assert (line.message, vars(line)["run_id"]) == (f"using {KEY}", bench.run_id), "for LogLine"


async def test_a_secret_that_is_not_there_fails_the_call_at_once(bench: Bench) -> None:
    await bench.plan("reads", {"name": "none"})
    error = await failure(bench, reads, secrets={"crm": KEY})
    assert "the worker has no secret 'none'" in error.message
    assert error.non_retryable
