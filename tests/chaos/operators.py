"""What operators do to runs in Temporal: reset them, terminate them."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from contracts.rewinding import REWOUND
from journal.port import Journal
from journal.reading import read_all
from tests.chaos.stacks import Stack, opened
from tests.resetting import reset_to

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
    """Reset the run to where some activity's result was learnt, and see that it is told.

    False if there is no such place, or Temporal is away, or nothing was told in `TOLD_S`.
    """
    journal = opened(stack)
    try:
        before = await _told(journal, run_id)
        temporal = await stack.temporal()
        if (task := await _task(temporal, run_id, random)) is None:
            return False
        await reset_to(stack, run_id, task)
        async with asyncio.timeout(TOLD_S):
            while await _told(journal, run_id) == before:
                await asyncio.sleep(0.1)
    except (RPCError, RuntimeError, TimeoutError):
        return False
    finally:
        await journal.close()
    return True


async def _told(journal: Journal, run_id: str) -> int:
    """How many resets the run's journal tells of."""
    return sum(it.type == REWOUND for it in await read_all(journal, run_id, facts=True))


async def _task(temporal: Client, run_id: str, random: Random) -> int | None:
    """The end of a workflow task that has learnt of an activity's result."""
    handle: WorkflowHandle[Any, Any] = temporal.get_workflow_handle(run_id)
    history = await handle.fetch_history()
    tasks, learnt = [], False
    for event in history.events:
        learnt = learnt or event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        if learnt and event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            tasks.append(event.event_id)
            learnt = False
    return random.choice(tasks) if tasks else None
