"""Agents with MCP servers, for tests with a whole stack, besides those of `stack_agents`."""

from __future__ import annotations

import os
import sys
import tempfile

from relayline import Agent, Env, McpServer, Override
from tests.stack_agents import deadly, deputy, frail, lead, spared, steered, terse

__all__ = [
    "clerk",
    "deadly",
    "deputy",
    "frail",
    "lead",
    "lost",
    "spared",
    "steered",
    "terse",
]
MODULE = "tests.mcp_agents"
FOLDER = os.environ.get("ODD_FOLDER", tempfile.gettempdir())
NEVER = Override(approval="never")

rows = McpServer(
    "rows",
    command=(sys.executable, "-m", "tests.row_server"),
    env={"ROWS": f"{FOLDER}/rows"},
    trusted=True,
    overrides={"insert": NEVER},
    connect_s=60,
)
odd = McpServer(
    "odd",
    command=(sys.executable, "-m", "tests.activities.tool.mcp.odd_server"),
    env={"ODD_FOLDER": FOLDER, "ODD_STATE_KEY": "a key of 32 bytes, told to nobody"},
    tools=("count", "shape", "order", "die", "wait"),
    trusted=True,
    overrides={"order": NEVER, "die": NEVER},
    connect_s=60,
)
gone = McpServer(
    "gone", command=("no-such-program", "--secret=hidden"), env={"T": Env("UNSET")}, optional=True
)
clerk = Agent("clerk", tools=("sleep",), mcp=(rows, odd, gone))
lost = Agent("lost", mcp=(McpServer("nowhere", url="http://127.0.0.1:9/hidden", connect_s=2),))
