"""An agent with 51 tools of six MCP servers, and one without, a user's catalog."""

from __future__ import annotations

import sys

from relayline.catalog.agents import Agent
from relayline.catalog.servers.mcp import McpServer

MODULE = "benchmarks.mcp_agents"
TOOLS = (9, 9, 9, 8, 8, 8)
"""Of each server."""


def desk(name: str, tools: int) -> McpServer:
    """A server with so many tools, on stdin and stdout."""
    command = (sys.executable, "-m", "benchmarks.mcp_desk", str(tools))
    return McpServer(name, command=command, trusted=True, connect_s=60)


servers = tuple(desk(f"desk{number}", tools) for number, tools in enumerate(TOOLS, 1))
served = Agent("served", model="rehearsal", mcp=servers)
plain = Agent("plain", model="rehearsal", tools=("calculate",))
