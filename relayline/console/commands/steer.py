"""The commands that steer a run: `pause resume redirect cancel approve deny answer`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from relayline.console.commands.run import Files
from relayline.console.exit import expecting
from relayline.console.options import RunId, Url, asked
from relayline.console.printable import printable

if TYPE_CHECKING:
    from relayline.client import AsyncClient
    from relayline.contracts.commands import AnyCommand

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick

By = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Who sends this, for the record.", show_default="your login name"
    ),
]
ApprovalId = Annotated[
    str | None,
    typer.Argument(
        metavar="[APPROVAL_ID]", help="The approval, if several are open.", show_default=False
    ),
]
Note = Annotated[
    str,
    typer.Option(metavar="TEXT", help="A note for the model and the record.", show_default=False),
]


class SteeringCommands:
    """The commands; each prints its outcome and exits with 1 if the run refused it."""

    def __init__(self, address: Callable[[str | None], str]) -> None:
        """Create the commands.

        Args:
            address: Gives the API's base URL for a value of `--url`.
        """
        self._address = address

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        switches = (self.pause, self.resume)
        for command in (
            *switches,
            self.redirect,
            self.cancel,
            self.approve,
            self.deny,
            self.answer,
        ):
            app.command()(command)

    def pause(
        self,
        run_id: RunId,
        now: Annotated[bool, typer.Option("--now", help="Also interrupt running calls.")] = False,
        by: By = None,
        url: Url = None,
    ) -> None:
        """Pause a run before its next model or tool call."""
        from relayline.contracts.commands import Pause

        self._send(url, run_id, Pause(now=now, by=_by(by)))

    def resume(self, run_id: RunId, by: By = None, url: Url = None) -> None:
        """Let a paused run continue."""
        from relayline.contracts.commands import Resume

        self._send(url, run_id, Resume(by=_by(by)))

    def redirect(  # noqa: PLR0913, PLR0917  one parameter per option
        self,
        run_id: RunId,
        message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What to tell the model.")],
        file: Files = None,
        after_step: Annotated[
            bool, typer.Option("--after-step", help="Wait for the step to end; interrupt nothing.")
        ] = False,
        by: By = None,
        url: Url = None,
    ) -> None:
        """Interrupt a run and tell its model something."""
        from relayline.client.files.saying import parts_of
        from relayline.console.arguments import with_files
        from relayline.contracts.commands import Redirect

        async def redirect(client: AsyncClient) -> Redirect:
            text, parts = parts_of(await with_files(client, message, file))
            return Redirect(message=text, parts=parts, now=not after_step, by=_by(by))

        self._send(url, run_id, redirect)

    def cancel(
        self,
        run_id: RunId,
        reason: Annotated[
            str, typer.Option(metavar="TEXT", help="Why, for the record.", show_default=False)
        ] = "",
        by: By = None,
        url: Url = None,
    ) -> None:
        """Cancel a run and its running calls."""
        from relayline.contracts.commands import Cancel

        self._send(url, run_id, Cancel(reason=reason, by=_by(by)))

    def approve(  # noqa: PLR0913, PLR0917  one parameter per option
        self,
        run_id: RunId,
        approval_id: ApprovalId = None,
        arguments: Annotated[
            str | None,
            typer.Option(
                metavar="JSON", help="Arguments instead of the model's.", show_default=False
            ),
        ] = None,
        note: Note = "",
        by: By = None,
        url: Url = None,
    ) -> None:
        """Approve what a run waits for: a tool call, or a higher limit."""
        from relayline.console.arguments import approved_arguments
        from relayline.contracts.commands import Decide

        edited = None if arguments is None else approved_arguments(arguments)
        open_id = approval_id or self._only(url, run_id, "approval")
        self._send(
            url,
            run_id,
            Decide(
                approval_id=open_id, decision="approve", arguments=edited, note=note, by=_by(by)
            ),
        )

    def deny(
        self,
        run_id: RunId,
        approval_id: ApprovalId = None,
        note: Note = "",
        by: By = None,
        url: Url = None,
    ) -> None:
        """Deny what a run waits for: a tool call, or a higher limit."""
        from relayline.contracts.commands import Decide

        open_id = approval_id or self._only(url, run_id, "approval")
        self._send(url, run_id, Decide(approval_id=open_id, decision="deny", note=note, by=_by(by)))

    def answer(
        self,
        run_id: RunId,
        words: Annotated[
            list[str],
            typer.Argument(
                metavar="[REQUEST_ID] TEXT",
                help="The answer, after the question's id if several are open.",
                show_default=False,
            ),
        ],
        by: By = None,
        url: Url = None,
    ) -> None:
        """Answer the question of a run."""
        from relayline.contracts.commands import Answer

        *ids, text = words
        if len(ids) > 1:
            raise typer.BadParameter("only an id and a text are allowed: put the text in quotes")
        request_id = ids[0] if ids else self._only(url, run_id, "input")
        self._send(url, run_id, Answer(request_id=request_id, text=text, by=_by(by)))

    def _send(
        self,
        url: str | None,
        run_id: str,
        command: AnyCommand | Callable[[AsyncClient], Awaitable[AnyCommand]],
    ) -> None:
        from relayline.console.steer import CommandRefused, steer

        async def sending(client: AsyncClient) -> str:
            sent = await command(client) if callable(command) else command
            return await steer(client.run(run_id), sent)

        with expecting(CommandRefused):
            typer.echo(printable(asked(self._address(url), sending)))

    def _only(self, url: str | None, run_id: str, kind: Literal["approval", "input"]) -> str:
        from relayline.console.steer import NotOneOpen, only_open

        async def looking(client: AsyncClient) -> str:
            return await only_open(client.run(run_id), kind)

        with expecting(NotOneOpen):
            return asked(self._address(url), looking)


def _by(given: str | None) -> str:
    from relayline.console.steer import login

    return login() if given is None else given
