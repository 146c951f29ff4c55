"""The agents of `agents`, and `clerk`, whose tools are mostly an MCP server's: `desk`."""

from __future__ import annotations

import sys
from pathlib import Path

from relayline import Agent, Env, McpServer, Override
from tests.chaos.agents import FOLDER, chaos, helper, middle, note, top

__all__ = ["chaos", "clerk", "helper", "middle", "top"]
MODULE = "tests.chaos.mcp_agents"
PROGRAM = "chaos/desk.py"
"""How the path of the server's program ends."""
_NEVER = Override(approval="never")

desk = McpServer(
    "desk",
    command=(sys.executable, "-P", str(Path(__file__).parents[1] / PROGRAM)),
    env={FOLDER: Env(FOLDER)},
    trusted=True,
    overrides={
        "note": Override(retries=5),
        "book": _NEVER,
        "sign": Override(approval="always"),
        "choose": _NEVER,
    },
    connect_s=60,
)
clerk = Agent("clerk", tools=(note, "ask_user"), mcp=(desk,))
