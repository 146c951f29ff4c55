"""For whom tools work, what they share, and who knows of them: on a whole stack."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.dev_stack import DevStack

pytestmark = [pytest.mark.stack, pytest.mark.slow]
MODULE = "shop_with_context"
SOURCE = '''
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from relayline import Agent, ToolContext, resource, tool

assert "relayline.api.app" not in sys.modules, "the API imports no code of a user's"
NOTES = Path(os.environ["NOTES"])


@resource
async def ledger() -> AsyncIterator[list[str]]:
    with NOTES.open("a") as notes:
        notes.write("start\\n")
    yield []
    with NOTES.open("a") as notes:
        notes.write("stop\\n")


@tool
async def tells(context: ToolContext, ledger: Annotated[list[str], ledger]) -> dict[str, object]:
    """Tell for whom it works."""
    ledger.append(context.run_id)
    context.log.info("telling of %s", context.secrets("crm"))
    return {
        "for": [context.tenant, context.user, dict(context.metadata)],
        "by": [context.agent, context.step, context.turn],
        "calls": len(ledger),
        "secret": context.secrets("crm"),
    }


clerk = Agent("clerk", "You work for {user}.", tools=[tells])
'''
KEY = "crm-0123456789abcdef"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[DevStack]:
    (tmp_path / f"{MODULE}.py").write_text(SOURCE)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "crm").write_text(f"{KEY}\n")
    env = {
        "RELAYLINE_CATALOG": MODULE,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])),
        "NOTES": str(tmp_path / "notes"),
        "RELAYLINE_TOOL_SECRETS": str(tmp_path / "secrets"),
    }
    async with DevStack(tmp_path / "data", **env) as started:
        yield started


async def told(stack: DevStack, **fields: Any) -> dict[str, Any]:
    """What the tool tells in a run of its own."""
    run_id = await stack.submit({"call": "tells"}, {"say": "done"}, agent="clerk", **fields)
    assert (await stack.ended(run_id))["output"] == "done"
    completed = await stack.seen(run_id, "tool.completed")
    found: dict[str, Any] = json.loads(completed["data"]["output"])
    return found


async def test_tools_know_for_whom_they_work_and_share_what_starts_and_stops_once(
    stack: DevStack, tmp_path: Path
) -> None:
    first = await told(stack, user="ann", metadata={"tenant": "acme", "team": "blue"})
    assert first["for"] == ["acme", "ann", {"tenant": "acme", "team": "blue"}]
    assert (first["by"], first["calls"]) == (["clerk", 1, None], 1)
    other = await told(stack, metadata={"tenant": "beta"}, open=False)
    assert (other["for"], other["calls"]) == (["beta", "", {"tenant": "beta"}], 2)
    async with asyncio.timeout(30):  # the API looks once a second
        while not (listed := (await stack.client.get("/v1/agents")).json())["seen_at"]:
            await asyncio.sleep(0.1)
    assert {agent["name"] for agent in listed["agents"]} == {"assistant", "clerk"}
    assert listed["build"] == ""
    assert (tmp_path / "notes").read_text() == "start\n"
    await stack.stop()
    assert (tmp_path / "notes").read_text() == "start\nstop\n"
    assert (first["secret"], other["secret"]) == ("[redacted]", "[redacted]")
    logs = [path.read_text() for path in (tmp_path / "data" / "logs").iterdir()]
    assert not [text for text in logs if KEY in text]
    assert any("telling of [redacted]" in text for text in logs)
