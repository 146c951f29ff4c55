"""The agent `stopped`, a user's catalog: tools of every kind, each notes when it has to stop."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
import time
from pathlib import Path

from benchmarks import notes
from benchmarks.provider import MODEL
from relayline.activities.tool.toolbox.folder import Folder
from relayline.activities.tool.toolbox.shell import run_command_in
from relayline.catalog.agents import Agent
from relayline.catalog.tools import ToolContext, tool
from relayline.contracts.runs import Limits

HOLD_S = 60
_LOOK_S = 0.005


@tool(timeout_s=2 * HOLD_S)
async def hold(note: str) -> str:
    """Wait as a coroutine."""
    notes.leave(note, "started")
    try:
        await asyncio.sleep(HOLD_S)
    except asyncio.CancelledError:
        notes.leave(note, "stopped")
        raise
    return "held"


@tool(timeout_s=2 * HOLD_S)
def grind(context: ToolContext, note: str) -> str:
    """Wait as a thread that looks whether it is cancelled."""
    notes.leave(note, "started")
    deadline = time.monotonic() + HOLD_S
    while time.monotonic() < deadline:
        if context.cancelled:
            notes.leave(note, "stopped")
            break
        time.sleep(_LOOK_S)
    return "ground"


def shell_command(note: str) -> str:
    """A command that notes when SIGTERM comes."""
    return (
        f"trap 'date +%s%N > {note}.stopped; exit 0' TERM; date +%s%N > {note}.started; "
        f"sleep {HOLD_S} & wait"
    )


run_command = run_command_in(Folder(Path(tempfile.gettempdir())))
"""Unsafe and approved first: a cancel stops it, a redirect lets it finish."""
run_safely = dataclasses.replace(
    run_command,
    spec=run_command.spec.model_copy(
        update={"name": "run_safely", "effects": "safe", "approval": "never"}
    ),
)
"""The same code for commands that a redirect may stop."""

agent = Agent(
    "stopped",
    model=f"compatible:{MODEL}",
    tools=(hold, grind, run_command, run_safely),
    limits=Limits(max_steps=3),
)

speaker = Agent("speaker", model="rehearsal")
chief = Agent("chief", model="rehearsal", agents=(speaker,))
"""Of `benchmarks.family`."""
