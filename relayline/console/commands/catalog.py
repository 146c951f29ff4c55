"""`relayline catalog`: tells the API what the next build can run, before its workers are there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import typer


class CatalogCommands:
    """The commands; they exit with 1 and one line if the catalog or the journal can't be used."""

    def __init__(self, push: Callable[[], Awaitable[str]]) -> None:
        """Create the commands.

        Args:
            push: Writes the catalog of the settings; returns what to say of it.
        """
        self._push = push

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        group = typer.Typer(
            no_args_is_help=True,
            help="Tell the API which agents there are. Needs the journal, not the API.",
        )
        group.command()(self.push)
        group.callback()(_group)
        app.add_typer(group, name="catalog")

    def push(self) -> None:
        """Write the agents and tools of RELAYLINE_CATALOG for the build RELAYLINE_BUILD_ID.

        A worker does so when it starts. Before a deployment, this lets the API take runs of new
        agents as soon as the build is current. Safe to repeat.
        """

        async def do() -> str:
            return await self._push()

        typer.echo(asyncio.run(do()))


def _group() -> None:
    """Keeps `push` a command of its own, although it is the only one."""
