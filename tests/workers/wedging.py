"""Tools that wedge their worker, for tests."""

from __future__ import annotations

import time

from relayline.catalog.agents import Agent
from relayline.catalog.tools import tool

MODULE = "tests.workers.wedging"


@tool(timeout_s=0.5, retries=0, effects="unsafe")
async def hog() -> str:
    """Blocks the loop of all async tools long after its call was given up."""
    time.sleep(120)  # noqa: ASYNC251  as people do
    return ""


wedging = Agent("wedging", tools=(hog,))
