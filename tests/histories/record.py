"""Records the golden histories anew: `make histories`.

With names, only those: `python -m tests.histories.record happy_path housekeeping`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from relayline.workflows.housekeeping import Housekeeping
from tests.dev_stack import DevStack
from tests.histories.scenarios import HOUSEKEEPING, SCENARIOS

FOLDER = Path(__file__).parent
log = logging.getLogger(__name__)
WORKER = re.compile(r"^\d+@[\w.-]+")
"""A worker's name: process and host."""


def without_traces(value: Any) -> Any:
    """The history without what tells of the machine it was recorded on."""
    if isinstance(value, list):
        return [without_traces(item) for item in value]
    if isinstance(value, str):
        return WORKER.sub("worker", value)
    if not isinstance(value, dict):
        return value
    kept = (item for item in value.items() if item[0] != "stackTrace")
    return {name: without_traces(item) for name, item in kept}


async def record(*names: str) -> None:
    """Play the scenarios on a fresh stack and keep each one's history as `{name}.json`."""
    with tempfile.TemporaryDirectory() as folder:
        async with DevStack(Path(folder)) as stack:
            temporal = await Client.connect(stack.state["temporal"]["address"])
            for scenario in SCENARIOS:
                if not names or scenario.__name__ in names:
                    run_id = await scenario(stack)
                    await stack.ended(run_id)
                    await asyncio.sleep(0.5)
                    await keep(scenario.__name__, temporal.get_workflow_handle(run_id))
            if not names or HOUSEKEEPING in names:
                await keep(HOUSEKEEPING, await a_round(temporal))


async def a_round(temporal: Client) -> WorkflowHandle[Any, Any]:
    """A round of housekeeping that is over."""
    query = f"WorkflowType = '{Housekeeping.__name__}' AND ExecutionStatus = 'Completed'"
    while True:
        async for found in temporal.list_workflows(query, limit=1):
            return temporal.get_workflow_handle(found.id, run_id=found.run_id)
        await asyncio.sleep(0.5)


async def keep(name: str, handle: WorkflowHandle[Any, Any]) -> None:
    """Keep the history under that name."""
    history = await handle.fetch_history()
    kept = without_traces(json.loads(history.to_json()))
    (FOLDER / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    log.info("%s: %d events", name, len(history.events))


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    asyncio.run(record(*sys.argv[1:]))
    os._exit(0)  # a short-lived Temporal client may abort at interpreter exit
