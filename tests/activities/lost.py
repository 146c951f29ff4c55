"""The journal of a call whose workers have died, as they left it."""

from __future__ import annotations

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import AttemptLost
from relayline.contracts.keys import lost_key
from relayline.journal.port import Fence, Journal


async def lost(journal: Journal, run_id: str, scope: str, losses: int) -> None:
    """Attempts 1 to `losses` began, each alone on its worker, and left no end."""
    for number in range(1, losses + 1):
        told = AttemptLost(attempt=number - 1, losses=number - 1, counted=number - 2, allowed=3)
        key = lost_key(scope, number - 1)
        facts = [NewEvent(body=told, step=1, attempt=number - 1, key=key)] if number > 1 else []
        await journal.append(run_id, facts, Fence(scope, number))
