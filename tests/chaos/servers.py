"""The processes of the MCP server `desk`, below the workers'."""

from __future__ import annotations

from collections.abc import Iterable

from tests.activities.tool.mcp.processes import below, command
from tests.chaos.mcp_agents import PROGRAM


def servers_of(workers: Iterable[int]) -> list[int]:
    """Those of these workers."""
    children = (pid for worker in workers for pid in below(worker))
    return [pid for pid in children if any(it.endswith(PROGRAM) for it in command(pid))]
