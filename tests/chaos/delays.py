"""Why runs stood still for long: what Temporal said meanwhile of their calls, beside the faults."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from tests.chaos.attendance import AT_WORK, log_lines
from tests.chaos.faults import Fault
from tests.chaos.figures import recoveries
from tests.chaos.observed import Observed
from tests.chaos.stacks import Stack

LOOK_EVERY_S = 0.25
BEFORE_US = 1_000_000
"""How much of what went before a recovery is told with it."""
_TOLD = {"attempt.lost", "attempt.superseded", "tool.retrying", "model.retrying", "run.rewound"}
_AT_ONCE = 8
_RPC_TIMEOUT = timedelta(seconds=1)


class Sighting(NamedTuple):
    """What Temporal said of a run at a moment, if it was something new."""

    at_us: int
    said: str


class Lookout:
    """Asks Temporal again and again what the open runs of a load wait for."""

    def __init__(self, stack: Stack, open_runs: Callable[[], Iterable[str]]) -> None:
        self.seen: defaultdict[str, list[Sighting]] = defaultdict(list)
        self._stack = stack
        self._open = open_runs

    async def look(self) -> None:
        """For ever; cancel it to end it."""
        gate = asyncio.Semaphore(_AT_ONCE)
        while True:
            with suppress(RPCError, RuntimeError, OSError, ValueError):  # Temporal is away
                client = await self._stack.temporal()
                while True:
                    await asyncio.gather(*(self._ask(client, it, gate) for it in self._open()))
                    await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _ask(self, client: Client, run_id: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            raw = await client.workflow_service.describe_workflow_execution(
                DescribeWorkflowExecutionRequest(
                    namespace=client.namespace, execution=WorkflowExecution(workflow_id=run_id)
                ),
                timeout=_RPC_TIMEOUT,
            )
        parts = [_activity(it) for it in raw.pending_activities]
        if raw.HasField("pending_workflow_task"):
            parts.append(_task(raw.pending_workflow_task))
        said = " | ".join(parts) or "nothing pending"
        seen = self.seen[run_id]
        if not seen or seen[-1].said != said:
            seen.append(Sighting(time.time_ns() // 1000, said))


def _activity(it: PendingActivityInfo) -> str:
    state = PendingActivityState.Name(it.state).removeprefix("PENDING_ACTIVITY_STATE_").lower()
    words = [f"{it.activity_type.name}#{it.activity_id} {state} attempt {it.attempt}"]
    if it.last_worker_identity:
        words.append(f"at {it.last_worker_identity}")
    if it.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED:
        words.append(f"since {_clock(it.last_started_time.ToMicroseconds())}")
    elif it.HasField("scheduled_time"):
        words.append(f"due {_clock(it.scheduled_time.ToMicroseconds())}")
    if it.HasField("last_failure"):
        words.append(f"after {it.last_failure.message[:80]!r}")
    return ", ".join(words)


def _task(it: PendingWorkflowTaskInfo) -> str:
    state = PendingWorkflowTaskState.Name(it.state).removeprefix("PENDING_WORKFLOW_TASK_STATE_")
    return f"workflow task {state.lower()} attempt {it.attempt}"


def explained(
    runs: Sequence[Observed],
    faults: Sequence[Fault],
    lookout: Lookout,
    logs: Path,
    least_s: float,
) -> list[str]:
    """What happened in each recovery that took longer than that, line by line."""
    by_id = {run.run_id: run for run in runs}
    written = list(_lines_of(logs))
    told: list[str] = []
    for it in recoveries(runs, faults):
        if it.seconds < least_s:
            continue
        told.append(f"{it.seconds:.1f} s: {it.run_id}")
        begin = it.cut_us - BEFORE_US
        lines = [(fault.at_us, f"{fault.what} {fault.target} {fault.whom}") for fault in faults]
        lines += [(at, f"Temporal: {said}") for at, said in lookout.seen[it.run_id]]
        lines += [
            (event.at_us, f"journal: {event.type} {event.data[:150]}")
            for event in by_id[it.run_id].stored
            if event.type in _TOLD
        ]
        lines += [(at, text) for at, text in written if _concerns(text, it.run_id)]
        told += [
            f"  {_clock(at)} {what}" for at, what in sorted(lines) if begin <= at <= it.back_us
        ]
    return told


def _concerns(line: str, run_id: str) -> bool:
    return run_id in line or "late worker" in line or "stands still" in line or AT_WORK in line


def _lines_of(logs: Path) -> Iterable[tuple[int, str]]:
    for log in sorted(logs.glob("worker-*.log")):
        yield from ((at_us, f"{log.stem}: {text[:260]}") for at_us, text in log_lines(log))


def _clock(at_us: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at_us / 1e6)) + f".{at_us % 1_000_000 // 1000:03d}"
