"""Agents for tests with a whole stack.

`steered` has tools of every kind that steering knows, `terse` a short memory, `deadly` a tool that
kills its worker, `spared` two models to fall back to; `lead` asks `deputy` and `steered`, and
`deputy` asks `steered`.
"""

from __future__ import annotations

import asyncio
import os
import time

from relayline.catalog.agents import Agent
from relayline.catalog.tools import ToolContext, tool
from relayline.contracts.compaction import Summarise
from relayline.contracts.runs import ApprovalRule

MODULE = "tests.stack_agents"


@tool(effects="unsafe")
async def charge(seconds: float) -> str:
    """Do something that can't be undone."""
    await asyncio.sleep(seconds)
    return "charged"


@tool(approval="always", approval_timeout_s=1)
async def hurried() -> str:
    """Needs an approval within a second."""
    return "in time"


@tool(approval=ApprovalRule(when={"properties": {"amount": {"exclusiveMinimum": 100}}}))
async def pay(amount: float) -> str:
    """Needs an approval above 100."""
    return f"paid {amount:g}"


@tool(timeout_s=60)
def grind(context: ToolContext) -> str:
    """Work in a thread until told to stop."""
    while not context.cancelled:
        time.sleep(0.005)
    return "stopped"


@tool
def collapse() -> str:
    """End the worker at once, as a crash in native code or the OOM killer would."""
    os._exit(9)


deadly = Agent("deadly", tools=(collapse,))

steered = Agent(
    "steered",
    tools=(charge, hurried, pay, grind, "sleep", "ask_user", "write_file", "run_command"),
)

spared = Agent("spared", tools=("sleep",), fallbacks=("rehearsal:spare", "rehearsal:last"))

deputy = Agent("deputy", tools=("sleep",), agents=(steered,))

lead = Agent("lead", tools=("sleep",), agents=("deputy", steered))

terse = Agent(
    "terse",
    tools=("calculate",),
    compaction=Summarise(over_tokens=1500, keep_tokens=700, summary_tokens=50),
)


@tool
def stumble(text: str) -> str:
    """Fail with these words, as a bug would."""
    raise RuntimeError(text)


@tool(approval="always")
def echo(text: str) -> str:
    """Say the same, if a person agrees."""
    return text


frail = Agent(
    "frail",
    instructions="zqmark-instruction-",
    tools=("calculate", "ask_user", stumble, echo),
    compaction=Summarise(over_tokens=600, keep_tokens=300, summary_tokens=50),
)
