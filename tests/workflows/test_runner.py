"""What workers run workflow code with: no sandbox, and no query acts ahead of the history."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.worker import Replayer, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import (
    RestrictedWorkflowAccessError,
    SandboxedWorkflowRunner,
)

from relayline.runtime.children.child import leashed
from relayline.workflows.runner import Runner
from tests.workflows.ahead import QUEUE, STICKY, Batches, serving
from tests.workflows.mistaken import Mistaken

LONG = timedelta(seconds=20)


async def test_workers_run_without_the_sandbox_that_tests_and_replays_have(
    temporal: Client,
) -> None:
    async def run(runner: WorkflowRunner) -> float:
        queue = uuid4().hex
        async with Worker(
            temporal,
            task_queue=queue,
            workflows=[Mistaken],
            workflow_runner=runner,
            workflow_failure_exception_types=[RestrictedWorkflowAccessError],
        ):
            return await temporal.execute_workflow(Mistaken.run, "", id=queue, task_queue=queue)

    assert await run(Runner()) > 0
    with pytest.raises(WorkflowFailureError):
        await run(SandboxedWorkflowRunner())


async def forgotten(temporal: Client) -> WorkflowHandle[Batches, list[list[str]]]:
    """A run whose worker was killed, so that no worker has it in its cache."""
    address = temporal.service_client.config.target_host
    command = leashed((sys.executable, "-m", "tests.workflows.ahead", address))
    first = await asyncio.create_subprocess_exec(*command)
    try:
        handle = await temporal.start_workflow(Batches.run, id=uuid4().hex, task_queue=QUEUE)
        assert await handle.query(Batches.unread, rpc_timeout=LONG) == 0
    finally:
        first.kill()
        await first.wait()
    return handle


@pytest.mark.slow
async def test_a_query_just_after_a_signal_has_the_run_do_nothing_that_a_replay_would_not(
    temporal: Client,
) -> None:
    """The worker that knew the run is gone: another is asked, and is given the signal, too."""
    for _ in range(6):
        handle = await forgotten(temporal)
        async with serving(temporal):
            asked = asyncio.create_task(handle.query(Batches.unread, rpc_timeout=LONG))
            await asyncio.sleep(STICKY.total_seconds() / 2)
            if asked.done():  # Temporal did not wait for the worker that is gone: once more
                await handle.terminate()
                continue
            await handle.signal(Batches.hear, "a")
            with pytest.raises(WorkflowQueryFailedError, match="no workflow task"):
                await asked
            await handle.signal(Batches.hear, "b")
            await handle.signal(Batches.hear, "c")
            assert await asyncio.wait_for(handle.result(), 20) == [["a", "b", "c"]]
            break
    else:
        pytest.fail("each query was answered before the signal came")
    await Replayer(workflows=[Batches]).replay_workflow(await handle.fetch_history())
