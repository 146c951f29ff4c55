"""`relayline mcp`: the MCP servers that the catalog's agents have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

import typer

from relayline.console.exit import Failure, expecting
from relayline.console.options import Url, expecting_answers

if TYPE_CHECKING:
    from pydantic import JsonValue

    from relayline.catalog.servers.mcp import McpServer
    from relayline.console.mcp_shown import Answer, Found

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVER]…", help="Servers by name; all if none.")
]
T = TypeVar("T")


class Desk(Protocol):
    """The servers, connected to."""

    declared: Mapping[str, McpServer]

    async def found(self, name: str) -> Found:
        """What there is to know about a server."""
        ...

    async def tried(self, name: str, tool: str, arguments: dict[str, JsonValue]) -> Answer:
        """Call a tool."""
        ...


class McpCommands:
    """The commands; they connect to servers with the environment of this process."""

    def __init__(
        self,
        desk: Callable[[], AbstractAsyncContextManager[Desk]],
        address: Callable[[str | None], str],
    ) -> None:
        """Create the commands.

        Args:
            desk: Opens the servers of the configured catalog.
            address: Gives the API's base URL for a value of `--url`.
        """
        self._desk = desk
        self._address = address

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        group = typer.Typer(
            name="mcp",
            help="List, check, accept and try the tools of the catalog's MCP servers; be one.",
            no_args_is_help=True,
        )
        group.command("list")(self.list)
        group.command("check")(self.check)
        group.command("pin")(self.pin)
        group.command("try")(self.try_)
        group.command("serve")(self.serve)
        app.add_typer(group)

    def serve(
        self,
        decide: Annotated[
            bool,
            typer.Option(
                "--decide", help="Also a tool that approves calls, which a model may use."
            ),
        ] = False,
        url: Url = None,
    ) -> None:
        """Be an MCP server over stdin and stdout: clients start runs, watch and steer them."""
        from relayline.mcp_server.stdio import serve

        with expecting_answers():
            asyncio.run(serve(self._address(url), decides=decide))

    def list(self, servers: Names = None) -> None:
        """Show each tool with its effects and approval, and why one is not offered."""
        from relayline.console.mcp_shown import headlines, tool_lines

        for found in self._all(servers):
            for line in (*headlines(found), *tool_lines(found)):
                typer.echo(line)

    def check(self, servers: Names = None) -> None:
        """Say of each server whether it can be used; exits with 1 if one can't."""
        from relayline.console.mcp_shown import headlines

        bad: list[str] = []
        for found in self._all(servers):
            for line in headlines(found):
                typer.echo(line)
            if (found.error and not found.server.optional) or found.refused:
                bad.append(found.server.name)
        if bad:
            raise Failure(f"not in order: {', '.join(bad)}")

    def pin(self, servers: Names = None) -> None:
        """Accept the tools as they are defined now, in the lock files of servers with pins=…."""
        from relayline.catalog.servers.lock_file import BadLockFile

        with expecting(BadLockFile):
            pinned = [_pin(found) for found in self._all(servers, pinned=True)]
        for line in pinned:
            typer.echo(line)

    def try_(
        self,
        server: Annotated[str, typer.Argument(metavar="SERVER", help="Its name.")],
        tool: Annotated[str, typer.Argument(metavar="TOOL", help="The name of the tool.")],
        arguments: Annotated[
            str, typer.Argument(metavar="[JSON]", help="The arguments, as a JSON object.")
        ] = "{}",
    ) -> None:
        """Call a tool once, now, without a run, an approval or a journal."""
        from relayline.console.printable import printable

        given = _object(arguments)
        answer = self._do([server], lambda desk, _: desk.tried(server, tool, given))
        for line in answer.progress:
            typer.echo(printable(line), err=True)
        for question in answer.questions:
            typer.echo(printable(f"it asks: {question}"))
        if not answer.questions:
            typer.echo(printable(answer.text))

    def _all(self, servers: Sequence[str] | None, *, pinned: bool = False) -> Sequence[Found]:
        """What there is to know about these servers, asked side by side."""

        async def find(desk: Desk, names: Sequence[str]) -> Sequence[Found]:
            wanted = [it for it in names if desk.declared[it].pins or not pinned]
            if not wanted:
                raise Failure('no server has a lock file: declare it with pins="mcp.lock"')
            return await asyncio.gather(*(desk.found(name) for name in wanted))

        return self._do(servers, find)

    def _do(
        self, servers: Sequence[str] | None, work: Callable[[Desk, Sequence[str]], Awaitable[T]]
    ) -> T:
        async def run() -> T:
            async with self._desk() as desk:
                names = servers or [*desk.declared]
                if unknown := [name for name in names if name not in desk.declared]:
                    known = ", ".join(desk.declared)
                    raise Failure(f"unknown MCP server {unknown[0]!r}; known servers: {known}")
                return await work(desk, names)

        return asyncio.run(run())


def _pin(found: Found) -> str:
    """Write the server's lock; says what was done."""
    from pathlib import Path

    from relayline.catalog.servers.lock_file import read_lock, write_lock
    from relayline.catalog.servers.mcp import offered
    from relayline.contracts.mcp.lock import Lock

    server = found.server
    if found.definitions is None or server.pins is None:
        raise Failure(f"nothing is accepted of {server.name}: {found.error}")
    wanted = [it for it in found.definitions if offered(server, str(it["name"]))]
    lock = read_lock(server.pins) if Path(server.pins).exists() else Lock()
    write_lock(server.pins, lock.accepting(server.name, wanted))
    return f"{server.name}: {len(wanted)} tools are accepted in {server.pins}"


def _object(text: str) -> dict[str, JsonValue]:
    import json

    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Failure("the arguments must be a JSON object")
    return value
