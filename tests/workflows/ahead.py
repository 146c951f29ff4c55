"""A workflow that acts on what it is told in the batches in which it hears of it, and a worker.

`python -m tests.workflows.ahead ADDRESS` serves it until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from relayline.workflows.runner import Runner

QUEUE = "ahead"
STICKY = timedelta(seconds=3)
"""How long the tasks of a run wait for the worker that knows it."""


@activity.defn
async def note(batch: list[str]) -> list[str]:
    """What was heard of together."""
    return batch


@workflow.defn
class Batches:
    """Ends when it has heard of three things; the batches."""

    def __init__(self) -> None:
        self._heard: list[str] = []

    @workflow.run
    async def run(self) -> list[list[str]]:
        batches: list[list[str]] = []
        while sum(map(len, batches)) < 3:
            await workflow.wait_condition(lambda: bool(self._heard))
            batch, self._heard = self._heard, []
            minute = timedelta(minutes=1)
            batches.append(
                await workflow.execute_activity(note, batch, start_to_close_timeout=minute)
            )
        return batches

    @workflow.signal
    def hear(self, of: str) -> None:
        self._heard.append(of)

    @workflow.query
    def unread(self) -> int:
        return len(self._heard)


def serving(client: Client) -> Worker:
    """A worker."""
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[Batches],
        activities=[note],
        workflow_runner=Runner(),
        sticky_queue_schedule_to_start_timeout=STICKY,
    )


async def _serve(address: str) -> None:
    async with serving(await Client.connect(address)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
