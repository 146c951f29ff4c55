"""`relayline deploy`: which build of the workers takes new runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from relayline.console.exit import expecting

if TYPE_CHECKING:
    from relayline.console.deployments import Deployment

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick


def _build_id(text: str) -> str:
    from relayline.console.arguments import build_id_of

    return build_id_of(text)


BuildId = Annotated[
    str,
    typer.Argument(
        metavar="BUILD_ID", help="The build: RELAYLINE_BUILD_ID of its workers.", callback=_build_id
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        min=0, max=3600, metavar="SECONDS", help="How long to wait for the build's workers."
    ),
]
Partial = Annotated[
    bool,
    typer.Option(
        "--partial",
        help="Accept a build without workers for some kind of work: runs, models, tools.",
    ),
]
_T = TypeVar("_T")


class DeployCommands:
    """The commands; safe to repeat; they exit with 1 and one line if refused."""

    def __init__(self, deployment: Callable[[], str]) -> None:
        """Create the commands.

        Args:
            deployment: Settles Temporal's address and gives the name of the Worker Deployment.
        """
        self._deployment = deployment

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        group = typer.Typer(
            name="deploy",
            help="Choose the build of the workers that takes new runs.",
            no_args_is_help=True,
        )
        group.command("set-current")(self.set_current)
        group.command("ramp")(self.ramp)
        group.command("status")(self.status)
        app.add_typer(group)

    def set_current(self, build_id: BuildId, wait: Wait = 10, partial: Partial = False) -> None:
        """Send new runs to this build; open runs stay with theirs."""
        from relayline.console.deployments import WorkerCheck

        check = WorkerCheck(wait, partial)
        self._asked(lambda deployment: deployment.set_current(build_id, check))
        typer.echo(f"new runs go to build {build_id}")

    def ramp(
        self,
        build_id: BuildId,
        percent: Annotated[
            float,
            typer.Argument(
                metavar="PERCENT", min=0, max=100, help="Share of new runs; 0 ends the ramp."
            ),
        ],
        wait: Wait = 10,
        partial: Partial = False,
    ) -> None:
        """Send a share of new runs to this build."""
        from relayline.console.deployments import WorkerCheck

        check = WorkerCheck(wait, partial)
        self._asked(lambda deployment: deployment.ramp(build_id, percent, check))
        typer.echo(f"{percent:g} % of new runs go to build {build_id}")

    def status(self) -> None:
        """Show builds: share of new runs, state, open runs, workers."""
        for line in self._asked(lambda deployment: deployment.status()):
            typer.echo(line)

    def _asked(self, ask: Callable[[Deployment], Awaitable[_T]]) -> _T:
        from relayline.console.deployments import Deployment, DeployRefused
        from relayline.runtime.payloads.ring import NO_KEYS
        from relayline.runtime.temporal import TemporalUnreachable, connect

        async def do() -> _T:
            return await ask(Deployment(await connect(NO_KEYS), name))

        name = self._deployment()
        with expecting(DeployRefused, TemporalUnreachable):
            return asyncio.run(do())
