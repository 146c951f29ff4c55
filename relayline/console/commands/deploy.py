"""`relayline deploy`: which build of the workers takes new runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from relayline.console.exit import expecting

if TYPE_CHECKING:
    from relayline.console.deployments import Deployment

# ruff: noqa: PLC0415  what a command needs is imported by that command: `--help` is quick


def _build_id(text: str) -> str:
    from relayline.console.arguments import build_id_of

    return build_id_of(text)


BuildId = Annotated[
    str,
    typer.Argument(
        metavar="BUILD_ID", help="RELAYLINE_BUILD_ID of its workers.", callback=_build_id
    ),
]
Wait = Annotated[
    float, typer.Option(min=0, max=3600, help="Seconds that its workers have to come.")
]
Partial = Annotated[
    bool,
    typer.Option(
        "--partial", help="Go on although no worker of it takes some kind: runs, models, tools."
    ),
]
_T = TypeVar("_T")


class DeployCommands:
    """Commands for a command line; safe to repeat, exit 1 with one line if refused."""

    def __init__(self, deployment: Callable[[], str]) -> None:
        """Make the commands.

        Args:
            deployment: The name of the Worker Deployment, once Temporal's address is settled.
        """
        self._deployment = deployment

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        group = typer.Typer(
            name="deploy",
            help="Say which build of the workers takes new runs.",
            no_args_is_help=True,
        )
        group.command("set-current")(self.set_current)
        group.command("ramp")(self.ramp)
        group.command("status")(self.status)
        app.add_typer(group)

    def set_current(self, build_id: BuildId, wait: Wait = 10, partial: Partial = False) -> None:
        """Let new runs go to this build; runs in flight stay with theirs."""
        from relayline.console.deployments import WorkerCheck

        check = WorkerCheck(wait, partial)
        self._asked(lambda deployment: deployment.set_current(build_id, check))
        typer.echo(f"new runs go to build {build_id}")

    def ramp(
        self,
        build_id: BuildId,
        percent: Annotated[float, typer.Argument(min=0, max=100, help="Of new runs; 0: none.")],
        wait: Wait = 10,
        partial: Partial = False,
    ) -> None:
        """Let a share of new runs go to this build, the rest to the current one."""
        from relayline.console.deployments import WorkerCheck

        check = WorkerCheck(wait, partial)
        self._asked(lambda deployment: deployment.ramp(build_id, percent, check))
        typer.echo(f"{percent:g} % of new runs go to build {build_id}")

    def status(self) -> None:
        """Show the builds: their share of new runs, open runs, workers, and what is drained."""
        for line in self._asked(lambda deployment: deployment.status()):
            typer.echo(line)

    def _asked(self, ask: Callable[[Deployment], Awaitable[_T]]) -> _T:
        from relayline.console.deployments import Deployment, DeployRefused
        from relayline.runtime.temporal import TemporalUnreachable, connect

        async def do() -> _T:
            return await ask(Deployment(await connect(), name))

        name = self._deployment()
        with expecting(DeployRefused, TemporalUnreachable):
            return asyncio.run(do())
