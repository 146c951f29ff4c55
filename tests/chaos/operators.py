"""What operators do to runs in Temporal: reset them, terminate them, hold their calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from relayline.journal.port import Journal, JournalUnavailable
from relayline.journal.terminal import read_all
from relayline.projections.valid import REWOUND
from tests.chaos.stacks import Stack, opened
from tests.holding import Operation, operate, pending
from tests.resetting import reset_to

_ENDED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
}
HELD_S = (0.5, 4.0)
"""How long a call is held: long enough for its worker to hear of it, or not."""
LET_GO_S = 60.0
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


async def hold(stack: Stack, run_id: str, random: Random) -> bool:
    """Pause a call for a while, then unpause or reset it.

    False if there is no call, or Temporal is away.

    Raises:
        TimeoutError: Temporal was away for `LET_GO_S`; the call is held for ever.
    """
    try:
        temporal = await stack.temporal()
        calls = [call.activity_id for call in await pending(temporal, run_id)]
        if not calls:
            return False
        call = random.choice(calls)
        await operate(temporal, "pause", run_id, call)
    except (RPCError, RuntimeError):
        return False
    await asyncio.sleep(random.uniform(*HELD_S))
    then: Operation = random.choice(("unpause", "reset"))
    async with asyncio.timeout(LET_GO_S):
        while not await _let_go(temporal, then, run_id, call):
            await asyncio.sleep(0.5)
    return True


async def _let_go(temporal: Client, then: Operation, run_id: str, call: str) -> bool:
    """Whether the call is held no more; it may have ended meanwhile."""
    try:
        await operate(temporal, then, run_id, call)
    except RPCError as error:
        return error.status is RPCStatusCode.NOT_FOUND
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
