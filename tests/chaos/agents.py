"""The agent `chaos`: tools of every kind, those that change something leave a line on disk.

`top` asks `middle` and `helper`, and `middle` asks `helper`.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from relayline.catalog.agents import Agent
from relayline.catalog.tools import ToolContext, tool

MODULE = "tests.chaos.agents"
FOLDER = "CHAOS_EFFECTS"
"""The environment variable that names the folder of the lines."""
_AT_THE_DESK = frozenset({"desk_book", "desk_sign", "desk_choose"})
"""Unsafe tools of the MCP server of `mcp_agents`."""
MARKING = frozenset({"note", "book", "sign", "desk_note"}) | _AT_THE_DESK
UNSAFE = frozenset({"book"}) | _AT_THE_DESK
OUTPUTS = {
    "note": "noted",
    "book": "booked",
    "sign": "signed",
    "stumble": "here",
    "calculate": "42",  # nobody asks for anything else
    "sleep": "slept {seconds:g} s",
    "desk_note": "noted",
    "desk_book": "booked",
    "desk_sign": "signed",
    "desk_choose": "chosen",
}
"""What tools give, by name; `{argument}` stands for that argument."""


@tool(retries=3)
def note(context: ToolContext, seconds: float = 0) -> str:
    """Leave a line; harmless when it is done twice. Runs in a thread."""
    _mark(context)
    time.sleep(seconds)
    return "noted"


@tool(effects="unsafe", timeout_s=60)
async def book(context: ToolContext, seconds: float = 0) -> str:
    """Leave a line that must not be left twice."""
    _mark(context)
    await asyncio.sleep(seconds)
    return "booked"


@tool(approval="always", approval_timeout_s=600)
async def sign(context: ToolContext) -> str:
    """Leave a line that a person has approved."""
    _mark(context)
    return "signed"


@tool(retries=2)
async def stumble(context: ToolContext) -> str:
    """Fail the first time."""
    if context.attempt == 1:
        raise ValueError("stumbled")
    context.progress("up again", 0.5)
    return "here"


def _mark(context: ToolContext) -> None:
    """One line, appended in one piece."""
    line = f"{context.call_id} {context.attempt}\n".encode()
    file = Path(os.environ[FOLDER]) / context.run_id
    marks = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(marks, line)
    finally:
        os.close(marks)


chaos = Agent("chaos", tools=(note, book, sign, stumble, "sleep", "calculate", "ask_user"))
helper = Agent("helper", tools=(note, book, sign, "sleep", "ask_user"))
middle = Agent("middle", tools=(note, "sleep"), agents=(helper,))
top = Agent("top", tools=(note, "sleep"), agents=(middle, helper))
