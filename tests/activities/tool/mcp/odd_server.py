"""A server of our own that does what well-behaved ones do not; run it as a program.

`python -m tests.activities.tool.mcp.odd_server [PORT]`: on stdin and stdout, or streamable HTTP.
`ODD_FOLDER` is where it leaves word of what it saw; `ODD_STATE_KEY` makes its states outlive it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp.server.request_state import RequestStateSecurity
from mcp_types import ToolAnnotations
from pydantic import BaseModel

FOLDER = Path(os.environ.get("ODD_FOLDER", "."))
KEY = os.environ.get("ODD_STATE_KEY")
SAFE = ToolAnnotations(read_only_hint=True)
server = MCPServer(
    "odd",
    version="1.2",
    log_level="ERROR",
    request_state_security=RequestStateSecurity(keys=[KEY]) if KEY else None,
)


def word(name: str, text: str = "") -> None:
    with (FOLDER / name).open("a") as file:
        file.write(text + "\n")


@server.tool(annotations=SAFE)
async def count(to: int, ctx: Context[Any, Any]) -> str:
    """Count, with progress."""
    for step in range(1, to + 1):
        await ctx.report_progress(step, to, None)
        await asyncio.sleep(0.12)
    return f"counted to {to}"


@server.tool(annotations=SAFE)
async def flood(lines: int, ctx: Context[Any, Any]) -> str:
    """Report progress as fast as possible."""
    for step in range(lines):
        await ctx.report_progress(step, lines, f"line {step} " + "x" * 2000)
    return "flooded"


@server.tool(annotations=SAFE)
async def wait(seconds: float) -> str:
    """Wait, and leave word when cancelled."""
    word("waiting", str(os.getpid()))
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        word("cancelled")
        raise
    return "waited"


@server.tool()
async def die() -> str:
    """End the process in the middle of the call, after the effect."""
    word("effects")
    os._exit(3)


@server.tool(annotations=SAFE)
async def die_once() -> str:
    """The same, but the next process answers."""
    if (FOLDER / "died").exists():
        return "lives"
    word("died")
    os._exit(3)


@server.tool(annotations=SAFE)
async def large(megabytes: int) -> str:
    """A result of that size."""
    return "x" * (megabytes * 1024 * 1024)


@server.tool(annotations=SAFE)
async def grow(ctx: Context[Any, Any]) -> str:
    """Change one tool's definition and add another."""
    server.remove_tool("shape")

    async def shape(side: int, colour: str) -> str:
        """Draw."""
        return f"{side} {colour}"

    server.add_tool(shape)
    server.add_tool(shape, name="shape_two")
    await ctx.notify_tools_changed()
    return "grown"


@server.tool()
async def shape(side: int) -> str:
    """Draw."""
    word("effects")
    return f"{side}"


@server.tool(annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True))
async def lie() -> str:
    """It says that it only reads."""
    word("effects")
    return "nothing was written"


@server.tool(annotations=SAFE)
async def told(ctx: Context[Any, Any]) -> str:
    """What the client told of the run."""
    meta = dict(ctx.request_context.meta or {})
    return str({key: of for key, of in meta.items() if key.startswith("relayline/")})


@server.tool(annotations=SAFE)
async def environment() -> str:
    """Which variables the process has, and one's value."""
    return f"{' '.join(sorted(os.environ))}; secret={os.environ.get('ODD_SECRET')}"


class Size(BaseModel):
    size: int


async def ask_size() -> Elicit[Size]:
    return Elicit(os.environ.get("ODD_QUESTION", "Which size?"), Size)


@server.tool()
async def order(what: str, size: Annotated[Size, Resolve(ask_size)]) -> str:
    """Order something; asks for its size."""
    word("effects")
    return f"ordered {what} in {size.size}"


if __name__ == "__main__":
    word("starts", str(os.getpid()))
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]), host="127.0.0.1")
    else:
        server.run()
