"""An MCP server on stdin and stdout, as a program: its tools leave lines as those of `agents` do.

Each process of it defines one tool, `edition`, in its own way.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

FOLDER = Path(os.environ["CHAOS_EFFECTS"])
EDITION = f"edition {os.urandom(4).hex()}"
server = MCPServer("desk", version="1", log_level="ERROR")
Asked = Context[Any, Any]


class Size(BaseModel):
    """What a person answers."""

    size: str


async def ask_size() -> Elicit[Size]:
    """The question of `choose`."""
    return Elicit("Which size?", Size)


@server.tool(annotations=ToolAnnotations(idempotent_hint=True))
async def note(context: Asked, seconds: float = 0) -> str:
    """Leave a line; harmless when it is done twice."""
    await _mark(context, seconds)
    return "noted"


@server.tool()
async def book(context: Asked, seconds: float = 0, before_s: float = 0) -> str:
    """Leave a line that must not be left twice."""
    await asyncio.sleep(before_s)
    await _mark(context, seconds)
    return "booked"


@server.tool()
async def sign(context: Asked) -> str:
    """Leave a line that a person has approved."""
    await _mark(context, 0)
    return "signed"


@server.tool()
async def choose(context: Asked, size: Annotated[Size, Resolve(ask_size)]) -> str:
    """Ask a person, then leave a line that must not be left twice."""
    await _mark(context, 0)
    return "chosen"


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def edition(page: Annotated[int, Field(description=EDITION)] = 1) -> str:
    """Say how this process defines this tool."""
    return EDITION


async def _mark(context: Asked, seconds: float) -> None:
    """One line, appended in one piece; no attempt is told to a server, so it has the number 0."""
    meta: dict[str, Any] = dict(context.request_context.meta or {})
    about = meta["relayline/context"]
    marks = os.open(FOLDER / about["run_id"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(marks, f"{about['call_id']} 0\n".encode())
    finally:
        os.close(marks)
    await asyncio.sleep(seconds)


if __name__ == "__main__":
    server.run()
