"""An agent with the public server `mcp-server-sqlite`, for tests with a whole stack."""

from __future__ import annotations

import os

from relayline import Agent, McpServer, Override
from tests.stack_agents import deadly, deputy, frail, lead, spared, steered, terse

__all__ = ["deadly", "deputy", "frail", "keeper", "lead", "spared", "steered", "terse"]
MODULE = "tests.sqlite_agents"

keeper = Agent(
    "keeper",
    mcp=(
        McpServer(
            "sqlite",
            command=(os.environ.get("SQLITE_SERVER", ""), "--db-path", os.environ.get("ROWS", "")),
            trusted=True,
            tools=("read_query", "write_query"),
            overrides={
                "read_query": Override(effects="safe", approval="never"),
                "write_query": Override(approval="never"),
            },
            connect_s=60,
        ),
    ),
)
"""The server says nothing of effects, so its writing tool is unsafe."""
