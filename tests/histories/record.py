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

from relayline.contracts.housekeeping import HOUSEKEEPING_QUEUE, HousekeepingRequest
from relayline.contracts.submissions.batches import START_PAGE, SUBMISSIONS_QUEUE
from relayline.contracts.submissions.schedules import SubmitRequest
from relayline.contracts.webhooks import deliver_workflow_id
from relayline.runtime.temporal import data_converter
from relayline.workflows.housekeeping import Housekeeping
from relayline.workflows.submissions.submit import Submit
from tests.dev_stack import DevStack
from tests.histories.patched_scenarios import SUGGESTED, suggested
from tests.histories.scenarios import BATCHES, PRICES, SCENARIOS, SHIFTS, SUBMISSIONS, TELLING
from tests.mcp_agents import MODULE
from tests.webhooks.receiving import answers, receiving

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
        given = {"RELAYLINE_PRICES": PRICES, "RELAYLINE_CATALOG": MODULE, "ODD_FOLDER": folder}
        async with DevStack(Path(folder), **given) as stack:
            temporal = await Client.connect(
                stack.state["temporal"]["address"], data_converter=data_converter
            )
            for scenario in SCENARIOS:
                if not names or scenario.__name__ in names:
                    run_id = await scenario(stack)
                    await stack.ended(run_id)
                    await asyncio.sleep(0.5)
                    await keep(scenario.__name__, temporal.get_workflow_handle(run_id))
            await record_submissions(stack, temporal, *names)
            for name, rounds in SHIFTS.items():
                if not names or name in names:
                    await keep(name, await shift(temporal, rounds))
            if not names or TELLING in names:
                await keep(TELLING, await telling(stack, temporal))
    if not names or SUGGESTED in names:
        async with suggested() as handle:
            await keep(SUGGESTED, handle)


async def record_submissions(stack: DevStack, temporal: Client, *names: str) -> None:
    """Keep the histories of batches and of a schedule's time."""
    for name, cancelled in BATCHES.items():
        if not names or name in names:
            await keep(name, await batch(stack, temporal, cancelled=cancelled))
    for name in SUBMISSIONS:
        if not names or name in names:
            await keep(name, await submit(temporal))


async def batch(stack: DevStack, temporal: Client, *, cancelled: bool) -> WorkflowHandle[Any, Any]:
    """A batch of several pages that is over."""
    run = {"agent": "assistant", "input": json.dumps({"rehearse": [{"tokens": 50}]})}
    answer = await stack.client.post("/v1/batches", json={"runs": [run] * (START_PAGE + 2)})
    links = answer.json()["links"]
    if cancelled:
        (await stack.client.post(links["cancel"])).raise_for_status()
    while not (await stack.client.get(links["self"])).json()["ended"]:
        await asyncio.sleep(0.5)
    return temporal.get_workflow_handle(answer.json()["batch_id"])


async def submit(temporal: Client) -> WorkflowHandle[Any, Any]:
    """A time of a schedule that is over."""
    script = json.dumps({"rehearse": [{"say": "done"}]})
    handle = await temporal.start_workflow(
        Submit.run,
        SubmitRequest(
            schedule_id="hourly", run={"agent": "assistant", "input": script}, waits=True
        ),
        id="schedule-hourly-2026-11-30T12:00:00Z",
        task_queue=SUBMISSIONS_QUEUE,
    )
    await handle.result()
    return handle


async def shift(temporal: Client, rounds: int) -> WorkflowHandle[Any, Any]:
    """A shift of housekeeping that is over."""
    handle = await temporal.start_workflow(
        Housekeeping.run,
        HousekeepingRequest(rounds=rounds, every_s=1),
        id=f"shift-{rounds}",
        task_queue=HOUSEKEEPING_QUEUE,
    )
    await handle.result()
    return handle


async def telling(stack: DevStack, temporal: Client) -> WorkflowHandle[Any, Any]:
    """What tells a receiver that is down at first; it is over."""
    async with receiving(answers("503 Later")) as receiver:
        made = await stack.client.post(
            "/v1/webhooks", json={"url": receiver.url, "events": ["run.completed"]}
        )
        await stack.submit({"say": "hello"})
        await receiver.has(1)
        receiver.answer = answers()
        await receiver.has(2)
        handle = temporal.get_workflow_handle(deliver_workflow_id(made.json()["webhook_id"]))
        await handle.result()
    return handle


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
