"""An MCP server with so many tools: `python -m benchmarks.mcp_desk TOOLS [PORT]`.

On stdin and stdout, or by streamable HTTP on that port.
"""

from __future__ import annotations

import sys
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from pydantic import Field

_ABOUT = """Look an order up by its number, its customer or a part of either.

The newest orders come first. An order that was cancelled is found, too, and says so."""
_QUERY = Field(description="The number of the order, or words of the customer's name or address.")
_LIMIT = Field(description="How many orders to give at most.", ge=1, le=100)
_FIELDS = Field(description="Which fields of each order to give; all if none is named.")
server = MCPServer("desk", version="1", log_level="ERROR")


def look_up(
    query: Annotated[str, _QUERY],
    limit: Annotated[int, _LIMIT] = 10,
    fields: Annotated[tuple[str, ...], _FIELDS] = (),
) -> str:
    """Find nothing, at once."""
    return f"nothing is known of {query} in {limit} orders, {len(fields)} fields"


def main() -> None:
    """Serve until stdin ends, or a signal comes."""
    only_reads = ToolAnnotations(read_only_hint=True)
    for number in range(1, int(sys.argv[1]) + 1):
        name = f"look_up_{number}"
        server.add_tool(look_up, name=name, description=_ABOUT, annotations=only_reads)
    if len(sys.argv) > 2:
        server.run("streamable-http", port=int(sys.argv[2]), host="127.0.0.1")
    else:
        server.run()


if __name__ == "__main__":
    main()
