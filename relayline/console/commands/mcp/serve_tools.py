"""`relayline tools`: serves the tools of a module to workers that are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer


class ToolsCommands:
    """The commands."""

    def __init__(self, serve: Callable[[str, str, int | None], None]) -> None:
        """Create them.

        Args:
            serve: Serves a module's tools at a host and port, or over stdin and stdout.
        """
        self._serve = serve

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        group = typer.Typer(no_args_is_help=True)
        group.command()(self.serve)
        group.callback()(_about)
        app.add_typer(group, name="tools")

    def serve(
        self,
        module: Annotated[
            str, typer.Argument(metavar="MODULE", help="The module that declares the tools.")
        ],
        port: Annotated[
            int | None,
            typer.Option(
                metavar="N",
                min=1,
                max=65535,
                help="Listen there, at the path /mcp; without it, speak over stdin and stdout.",
            ),
        ] = None,
        host: Annotated[
            str,
            typer.Option(
                metavar="HOST",
                help="Where to listen; another one than loopback needs RELAYLINE_TOOLS_TOKEN, "
                "which clients then send as a bearer token.",
            ),
        ] = "127.0.0.1",
    ) -> None:
        """Offer the tools of a module over MCP, from a process of its own."""
        self._serve(module, host, port)


def _about() -> None:
    """Serve the tools of a module."""
