"""The runs below those of the load: none is submitted, and each must end with its tree."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.client import Client
from temporalio.service import RPCError

from relayline.journal.port import JournalUnavailable
from relayline.journal.table import EVERY, Listed, RunFilter, Storage
from relayline.journal.terminal import read_all
from tests.chaos.agents import MARKING, OUTPUTS, UNSAFE
from tests.chaos.observed import Observed, Sent, effects_of, first_said
from tests.chaos.replays import replayed
from tests.chaos.stacks import Stack, opened

_MOST = 1000


async def below(storage: Storage, run_id: str) -> Sequence[Listed]:
    """The runs below that one."""
    return await storage.list_runs(EVERY, RunFilter(root=run_id), _MOST)


async def tree_ended(stack: Stack, run_id: str) -> None:
    """Wait until nothing below the run is open."""
    storage = opened(stack)
    try:
        while await _open(storage, run_id):
            await asyncio.sleep(0.2)
    finally:
        await storage.close()


async def _open(storage: Storage, run_id: str) -> bool:
    try:
        return not all(it.row.status.ended for it in await below(storage, run_id))
    except JournalUnavailable:
        return True


async def observed_below(
    stack: Stack, storage: Storage, temporal: Client, run_id: str, sent: Sequence[Sent]
) -> list[Observed]:
    """What was seen of each run below that one.

    Args:
        stack: Where the runs are.
        storage: Its journal.
        temporal: Its Temporal.
        run_id: The run at the top.
        sent: What was sent to that one, and passed on to these.
    """
    runs = []
    for listed in await below(storage, run_id):
        own = [it for it in sent if it.run_id == listed.row.run_id]
        runs.append(await _observed(stack, storage, temporal, listed, own))
    return runs


async def _observed(
    stack: Stack, storage: Storage, temporal: Client, listed: Listed, sent: Sequence[Sent]
) -> Observed:
    run_id = listed.row.run_id
    try:
        executions, complaint = await replayed(temporal, run_id)
    except RPCError as error:  # Temporal has never had it
        executions, complaint = 0, f"{error}"
    stored = await read_all(storage, run_id, facts=False)
    return Observed(
        run_id,
        stored,
        input=first_said(stored),
        sent=sent,
        effects=effects_of(stack.data_dir / "effects" / run_id),
        marking=MARKING,
        unsafe=UNSAFE,
        outputs=OUTPUTS,
        status=listed.row.status.value,
        waiting_for=listed.row.waiting_for,
        replay=complaint,
        executions=executions,
    )
