"""Us: the same agent as a catalog of Relayline."""

from __future__ import annotations

import asyncio

from benchmarks.patterns.environment import factor
from benchmarks.patterns.provider import MODEL, TOOL
from relayline import Agent, tool
from relayline.activities import attempt

attempt.FIRST_RETRY_S /= factor()  # its pauses between attempts are compressed like everybody's
attempt.LONGEST_RETRY_S /= factor()


@tool(name=TOOL, timeout_s=120)
async def look_up(seconds: float) -> str:
    """Look something up; takes that long."""
    await asyncio.sleep(seconds)
    return "found"


agent = Agent("patterns", "Look things up.", model=f"compatible:{MODEL}", tools=(look_up,))
