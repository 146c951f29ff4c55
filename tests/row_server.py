"""An MCP server that writes rows, so that tests can count what has run.

`python -m tests.row_server`; the rows are lines of the file `ROWS`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

ROWS = Path(os.environ["ROWS"])
server = MCPServer("rows", version="1", log_level="ERROR")


def left(word: str) -> None:
    """Append a line."""
    with ROWS.open("a") as file:
        file.write(word + "\n")


@server.tool()
async def insert(text: str, before_s: float = 0, after_s: float = 0) -> str:
    """Write a row, and take some time before and after that."""
    left(f"begun {text} {os.getpid()}")
    await asyncio.sleep(before_s)
    left(f"row {text}")
    await asyncio.sleep(after_s)
    return f"inserted {text}"


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def count() -> str:
    """How many rows there are."""
    return str(sum(line.startswith("row ") for line in ROWS.read_text().splitlines()))


if __name__ == "__main__":
    server.run()
