"""Tools that wait: `sleep` and `ask_user`."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from catalog.tools import ToolError, tool

MAX_SLEEP_S = 3600


@tool(timeout_s=MAX_SLEEP_S + 10)
async def sleep(seconds: Annotated[float, Field(ge=0, le=MAX_SLEEP_S)]) -> str:
    """Wait for a number of seconds, at most 3600."""
    await asyncio.sleep(seconds)
    return f"slept {seconds:g} s"


@tool(retries=0)
async def ask_user(question: str) -> str:
    """Ask the person who started the run a question and wait for the answer."""
    raise ToolError(
        f"nobody can be asked in this version; go on without an answer to {question[:200]!r}",
        retryable=False,
    )
