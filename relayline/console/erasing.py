"""Finds the runs that a person wants erased, and erases them through the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from relayline.client import AsyncClient, Conflict, NotFound

AT_ONCE = 8
"""Runs that are erased concurrently."""


class Found(NamedTuple):
    """What there is to erase."""

    ended: Sequence[str]
    """Ids of runs that can be erased."""
    open: Sequence[str]
    """Ids of runs that have not ended."""
    missing: Sequence[str]
    """Ids that the server does not know."""
    titles: Mapping[str, str]
    """Of runs that were found by metadata."""


async def find(client: AsyncClient, run_ids: Sequence[str], metadata: Mapping[str, str]) -> Found:
    """The runs with these ids, or, without ids, all that have this metadata.

    Raises:
        RelaylineError: the server refuses, fails or does not answer.
    """
    if run_ids:
        states = {run_id: await _state(client, run_id) for run_id in run_ids}
        ended, still_open, missing = (
            [run_id for run_id, state in states.items() if state is wanted]
            for wanted in (True, False, None)
        )
        return Found(ended, still_open, missing, {})
    items = [item async for item in client.runs(metadata=metadata)]
    return Found(
        [item.run_id for item in items if item.status.ended],
        [item.run_id for item in items if not item.status.ended],
        [],
        {item.run_id: item.title for item in items},
    )


async def _state(client: AsyncClient, run_id: str) -> bool | None:
    """True if the run has ended; None if there is none."""
    try:
        return (await client.run(run_id).get()).status.ended
    except NotFound:
        return None


async def erase_all(
    client: AsyncClient, run_ids: Sequence[str], progress: Callable[[int], None]
) -> int:
    """Erase the runs; returns how many.

    A run that was reopened, or erased by somebody else, meanwhile is left out.

    Args:
        client: Asks the API.
        run_ids: Ended runs.
        progress: Told how many are done.

    Raises:
        RelaylineError: the server refuses, fails or does not answer; the runs before are erased.
    """
    slots, done, erased = asyncio.Semaphore(AT_ONCE), 0, 0

    async def erase(run_id: str) -> None:
        nonlocal done, erased
        async with slots:
            try:
                await client.run(run_id).erase()
                erased += 1
            except (Conflict, NotFound):
                pass
            done += 1
            progress(done)

    await asyncio.gather(*map(erase, run_ids))
    return erased
