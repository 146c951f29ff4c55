"""Records the golden histories anew: `make histories`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.dev_stack import DevStack
from tests.histories.scenarios import SCENARIOS

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


async def record() -> None:
    """Play every scenario on a fresh stack and keep its history as `{name}.json`."""
    with tempfile.TemporaryDirectory() as folder:
        async with DevStack(Path(folder)) as stack:
            temporal = await Client.connect(stack.state["temporal"]["address"])
            for scenario in SCENARIOS:
                run_id = await scenario(stack)
                await stack.ended(run_id)
                await asyncio.sleep(0.5)
                history = await temporal.get_workflow_handle(run_id).fetch_history()
                kept = without_traces(json.loads(history.to_json()))
                (FOLDER / f"{scenario.__name__}.json").write_text(json.dumps(kept, indent=1) + "\n")
                log.info("%s: %d events", scenario.__name__, len(history.events))


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    asyncio.run(record())
    os._exit(0)  # a short-lived Temporal client may abort at interpreter exit
