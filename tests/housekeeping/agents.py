"""The agent `stubborn`, whose tool does not stop when it is told to."""

from __future__ import annotations

import time
from pathlib import Path

from relayline.catalog.agents import Agent
from relayline.catalog.tools import ToolContext, tool

MODULE = "tests.housekeeping.agents"
WORK_S = 4.0


@tool(timeout_s=30)
def plod(context: ToolContext, marker: str) -> str:
    """Work on, whatever happens, say so, and leave a marker at the end."""
    context.progress("at it")
    time.sleep(WORK_S)
    context.progress("still at it")
    Path(marker).touch()
    return "done"


stubborn = Agent("stubborn", tools=(plod,))
