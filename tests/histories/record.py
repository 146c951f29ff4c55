"""Records the golden histories anew: `make histories`."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from pathlib import Path

from temporalio.client import Client

from tests.dev_stack import DevStack
from tests.histories.scenarios import SCENARIOS

FOLDER = Path(__file__).parent
log = logging.getLogger(__name__)


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
                (FOLDER / f"{scenario.__name__}.json").write_text(history.to_json() + "\n")
                log.info("%s: %d events", scenario.__name__, len(history.events))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(record())
    os._exit(0)  # a short-lived Temporal client may abort at interpreter exit
