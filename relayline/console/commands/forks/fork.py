"""`relayline fork`: another future of a run, with the same past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayline.console.commands.run import (
    AsJson,
    Files,
    Limits,
    Metadata,
    Schema,
    Settings,
    tell_accepted,
)
from relayline.console.options import RunId, Url, asked

if TYPE_CHECKING:
    from pydantic import JsonValue

    from relayline.client import AsyncClient, AsyncRun
    from relayline.client.forks import ForkFields

# ruff: noqa: PLC0415  the command imports what it needs itself: `--help` is quick

_FILE = "@"


class ForkCommand:
    """The command; it exits with 1 and one line if the API refuses or does not answer."""

    def __init__(self, address: Callable[[str | None], str]) -> None:
        """Create the command.

        Args:
            address: Gives the API's base URL for a value of `--url`.
        """
        self._address = address

    def register(self, app: typer.Typer) -> None:
        """Add it to a command line."""
        app.command()(self.fork)

    def fork(  # noqa: PLR0913, PLR0917  one parameter per option
        self,
        run_id: RunId,
        from_step: Annotated[
            int | None,
            typer.Option(
                metavar="N",
                help="The first step that the fork does itself; by default the newest possible.",
                show_default=False,
            ),
        ] = None,
        message: Annotated[
            str | None,
            typer.Option(metavar="TEXT", help="Follows the past; @FILE reads it from a file."),
        ] = None,
        file: Files = None,
        edit: Annotated[
            list[str] | None,
            typer.Option(
                metavar="CALL=TEXT",
                help="Another result of a tool call, as call_2_0=@FILE; may be repeated.",
                show_default=False,
            ),
        ] = None,
        model: Annotated[
            str | None, typer.Option(metavar="MODEL", help="Replaces the run's model.")
        ] = None,
        instructions: Annotated[
            str | None,
            typer.Option(metavar="TEXT", help="Replaces the agent's instructions; or @FILE."),
        ] = None,
        catalog: Annotated[
            bool, typer.Option("--catalog", help="Use the agent as it is today.")
        ] = False,
        settings: Settings = None,
        limits: Limits = None,
        schema: Schema = None,
        metadata: Metadata = None,
        steps: Annotated[
            int | None, typer.Option(metavar="N", help="End the fork after so many answers.")
        ] = None,
        watch_it: Annotated[
            bool, typer.Option("--watch", help="Show the fork as it happens.")
        ] = False,
        as_json: AsJson = False,
        url: Url = None,
    ) -> None:
        """Start a run that begins with another's past, up to a step; print its id.

        What comes before the step is neither paid nor run again.
        """
        from relayline.console import arguments as parse

        base_url = self._address(url)
        fields: ForkFields = {
            "from_step": from_step,
            "edits": _edits(edit) if edit else None,
            "model": model,
            "instructions": _text(instructions),
            "agent": "catalog" if catalog else None,
            "settings": parse.settings_of(settings) if settings else None,
            "limits": parse.limits_of(limits) if limits else None,
            "output_schema": parse.schema_in(schema) if schema else None,
            "metadata": parse.metadata_of(metadata) if metadata else None,
            "steps": steps,
        }
        told = _text(message) or ""

        async def fork(client: AsyncClient) -> AsyncRun:
            fields["message"] = await parse.with_files(client, told, file) or None
            return await client.run(run_id).fork(**fields)

        tell_accepted(base_url, asked(base_url, fork), watch_it=watch_it, as_json=as_json)


def _edits(pairs: Sequence[str]) -> list[dict[str, JsonValue]]:
    """Edits from `CALL=TEXT` pairs.

    Raises:
        BadParameter: a pair has another form, or names a file that can't be read.
    """
    edits: list[dict[str, JsonValue]] = []
    for pair in pairs:
        call_id, equals, text = pair.partition("=")
        if not (call_id and equals):
            raise typer.BadParameter(f"--edit {pair!r}: write CALL=TEXT or CALL=@FILE")
        edits.append({"call_id": call_id, "output": _text(text)})
    return edits


def _text(given: str | None) -> str | None:
    """The text, or what the file has that it names.

    Raises:
        BadParameter: the file can't be read.
    """
    if given is None or not given.startswith(_FILE):
        return given
    path = Path(given.removeprefix(_FILE))
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise typer.BadParameter(f"{path} can't be read: {why}") from error
