"""What operators do to runs in Temporal: reset them, terminate them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from contracts.rewinding import REWOUND
from journal.port import Journal, JournalUnavailable
from journal.reading import read_all
from tests.chaos.stacks import Stack, opened
from tests.resetting import reset_to

_ENDED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
}
TOLD_S = 60.0
"""How long it may take until a reset is told."""


async def terminate(stack: Stack, run_id: str) -> bool:
    """End the run; False if it has ended, or Temporal is away."""
    try:
        temporal = await stack.temporal()
        await temporal.get_workflow_handle(run_id).terminate("enough")
    except (RPCError, RuntimeError):  # what a client raises that can't connect
        return False
    return True


async def reset(stack: Stack, run_id: str, random: Random) -> bool:
    """Reset the run to where some activity's result was learnt.

    False if there is no such place, or Temporal is away.
    """
    try:
        temporal = await stack.temporal()
        if (task := await _task(temporal, run_id, random)) is None:
            return False
        await reset_to(stack, run_id, task)
    except (RPCError, RuntimeError):
        return False
    return True


async def told(stack: Stack, run_id: str, resets: int) -> None:
    """Wait until the run's journal tells of that many resets.

    Raises:
        TimeoutError: it does not in `TOLD_S`.
    """
    journal = opened(stack)
    try:
        async with asyncio.timeout(TOLD_S):
            while await _told(journal, run_id) < resets:
                await asyncio.sleep(0.1)
    finally:
        await journal.close()


async def _told(journal: Journal, run_id: str) -> int:
    """How many resets the run's journal tells of; 0 while it is away."""
    try:
        return sum(it.type == REWOUND for it in await read_all(journal, run_id, facts=True))
    except JournalUnavailable:
        return 0


async def _task(temporal: Client, run_id: str, random: Random) -> int | None:
    """The end of a workflow task to reset to, None if there is none."""
    handle: WorkflowHandle[Any, Any] = temporal.get_workflow_handle(run_id)
    tasks = places((await handle.fetch_history()).events)
    return random.choice(tasks) if tasks else None


def places(history: Sequence[HistoryEvent]) -> list[int]:
    """Ends of the workflow tasks that have learnt of an activity's result, but for the run's last.

    That one has learnt that the end is in the journal: done again, it does nothing but end.
    """
    tasks, learnt = [], False
    for event in history:
        learnt = learnt or event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        if learnt and event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            tasks.append(event.event_id)
            learnt = False
    return tasks[:-1] if history[-1].event_type in _ENDED else tasks
