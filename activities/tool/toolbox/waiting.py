"""Tools that wait: `sleep` and `ask_user`."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from relayline.catalog.tools import ToolError, tool

MAX_SLEEP_S = 3600
MAX_QUESTION_CHARS = 4000
MAX_CHOICES = 20
MAX_WITHIN_S = 30 * 86_400

_Choice = Annotated[str, Field(min_length=1, max_length=200)]


@tool(timeout_s=MAX_SLEEP_S + 10)
async def sleep(seconds: Annotated[float, Field(ge=0, le=MAX_SLEEP_S)]) -> str:
    """Wait for a number of seconds, at most 3600."""
    await asyncio.sleep(seconds)
    return f"slept {seconds:g} s"


@tool(retries=0, asks=True)
async def ask_user(  # the model sees the parameters; the function never runs
    question: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION_CHARS)],
    choices: Annotated[list[_Choice] | None, Field(max_length=MAX_CHOICES)] = None,  # noqa: ARG001
    within_s: Annotated[float | None, Field(gt=0, le=MAX_WITHIN_S)] = None,  # noqa: ARG001
) -> str:
    """Ask the person who started the run a question and wait for the answer.

    With `choices`, the answer is one of them; with `within_s`, the call fails if nobody answers
    within that many seconds.
    """
    raise ToolError(f"only a person can answer {question[:200]!r}", retryable=False)
