"""Rounds of housekeeping on demand, and runs for them to find."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import RunStarted
from relayline.contracts.housekeeping import (
    HOUSEKEEPING_QUEUE,
    RUN_WORKFLOW,
    HousekeepingRequest,
    HousekeepingResult,
)
from relayline.contracts.runs import TASK_QUEUE, AgentSpec, Limits, RunInput, RunResult, RunStatus
from relayline.housekeeper import build_housekeeper
from relayline.journal.table import EVERY, Storage
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.housekeeping import Housekeeping

VISIBLE_S = 10


def started(epoch: int = 0) -> NewEvent:
    """`run.started`."""
    body = RunStarted(agent="assistant", model="rehearsal", limits=Limits(), epoch=epoch)
    return NewEvent(key=f"{epoch}/run/started", body=body)


@activity.defn
async def refuses() -> None:
    """As an activity whose facts no journal can hold."""
    raise ApplicationError("it has a NUL", type="unstorable", non_retryable=True)


@workflow.defn(name=RUN_WORKFLOW, sandboxed=False)
class StandIn:
    """Ends as its input says, and writes no fact."""

    @workflow.run
    async def run(self, run_input: RunInput) -> RunResult:
        match run_input.input:
            case "fail":
                raise ApplicationError("it broke", type="broken", non_retryable=True)
            case "refused":
                wait = timedelta(seconds=10)
                await workflow.execute_activity(refuses, start_to_close_timeout=wait)
            case "hang":
                await asyncio.sleep(3600)
        return RunResult(status=RunStatus.COMPLETED, preview="forty-two")


async def nothing_noted(_: int) -> int:
    """For activities that look at no run's progress."""
    return 0


class House:
    """One journal and one Temporal, kept in order by hand."""

    def __init__(self, client: Client, journal: Storage, path: Path) -> None:
        self.client = client
        self.journal = journal
        self._path = path

    async def round(
        self, retention: timedelta | None = None, *, batch: int = 200, times: int = 1
    ) -> HousekeepingResult:
        """Rounds by a fresh worker; what the last one did."""
        done = HousekeepingResult()
        async with build_housekeeper(self.client, self.journal, retention):
            for _ in range(times):
                done = await self.client.execute_workflow(
                    Housekeeping.run,
                    HousekeepingRequest(batch=batch),
                    id=f"round-{uuid4().hex}",
                    task_queue=HOUSEKEEPING_QUEUE,
                )
        return done

    async def start(self, text: str = "hi", **options: Any) -> WorkflowHandle[AgentRun, RunResult]:
        """A run; nobody takes it up but stand-ins."""
        run_id = f"run_{uuid4().hex}"
        agent = AgentSpec(name="assistant", model="rehearsal")
        run = RunInput(run_id=run_id, agent=agent, input=text)
        return await self.client.start_workflow(
            AgentRun.run, run, **{"id": run_id, "task_queue": TASK_QUEUE, **options}
        )

    def stand_ins(self) -> Worker:
        """A worker of workflows that end without a fact."""
        return Worker(self.client, task_queue=TASK_QUEUE, workflows=[StandIn], activities=[refuses])

    async def visible(self, run_id: str) -> None:
        """Wait until visibility has the run's newest execution as closed."""
        await self._listed(f"WorkflowId = '{run_id}' AND CloseTime IS NOT NULL")

    async def visible_open(self, run_id: str) -> None:
        """Wait until visibility has the run."""
        await self._listed(f"WorkflowId = '{run_id}'")

    async def _listed(self, query: str) -> None:
        async with asyncio.timeout(VISIBLE_S):
            while not (await self.client.count_workflows(query)).count:
                await asyncio.sleep(0.05)

    async def events(self, run_id: str) -> list[StoredEvent]:
        """The run's journal."""
        return await self.journal.read(EVERY, run_id)

    def quieten(self, run_id: str, since: timedelta) -> None:
        """As if nothing had been appended to the run for so long."""
        with closing(sqlite3.connect(self._path)) as db, db:
            db.execute(
                "UPDATE runs SET last_at_us = last_at_us - ? WHERE run_id = ?",
                (since // timedelta(microseconds=1), run_id),
            )
