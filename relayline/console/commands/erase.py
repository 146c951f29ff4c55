"""`relayline erase`: deletes ended runs for good, by id or by metadata."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from relayline.console.exit import Failure
from relayline.console.options import Url, asked

if TYPE_CHECKING:
    from relayline.client import AsyncClient
    from relayline.console.erasing import Found

# ruff: noqa: PLC0415  the command imports what it needs itself: `--help` is quick

SHOWN = 10
"""Runs that are listed before the question."""
RunIds = Annotated[
    list[str] | None, typer.Argument(metavar="[RUN]...", help="Ids of runs.", show_default=False)
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="All runs with this metadata; may be repeated, then all of it must match.",
        show_default=False,
    ),
]


class EraseCommands:
    """The command; it exits with 1 if a run was not erased."""

    def __init__(self, address: Callable[[str | None], str]) -> None:
        """Create the command.

        Args:
            address: Gives the API's base URL for a value of `--url`.
        """
        self._address = address

    def register(self, app: typer.Typer) -> None:
        """Add it to a command line."""
        app.command()(self.erase)

    def erase(
        self,
        run_ids: RunIds = None,
        metadata: Metadata = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Only say what would be erased.")
        ] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        url: Url = None,
    ) -> None:
        """Erase ended runs for good: their events, their rows, and what Temporal has of them.

        Says which, and asks, before it erases anything. Open runs are left alone.
        """
        from relayline.console.arguments import metadata_of
        from relayline.console.erasing import find

        wanted = metadata_of(metadata or ())
        if bool(run_ids) == bool(wanted):
            raise typer.BadParameter("name runs, or give --metadata KEY=VALUE")
        base_url = self._address(url)
        found = asked(base_url, lambda client: find(client, run_ids or (), wanted))
        _show(found)
        erased = len(found.ended)
        if found.ended and not dry_run:
            _confirm(len(found.ended), yes=yes)
            erased = asked(base_url, lambda client: _erase(client, found.ended))
            typer.echo(f"{_runs(erased)} erased")
        if found.open or found.missing or erased < len(found.ended):
            raise typer.Exit(1)


async def _erase(client: AsyncClient, run_ids: Sequence[str]) -> int:
    from relayline.console.erasing import erase_all

    def show(done: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done} of {len(run_ids)}" + "\n" * (done == len(run_ids)))
            sys.stderr.flush()

    return await erase_all(client, run_ids, show)


def _show(found: Found) -> None:
    """Say what there is to erase, and what can't be."""
    from relayline.console.printable import printable

    typer.echo(f"{_runs(len(found.ended))} to erase")
    for run_id in found.ended[:SHOWN]:
        typer.echo(printable(f"  {run_id}  {found.titles.get(run_id, '')}".rstrip()))
    if len(found.ended) > SHOWN:
        typer.echo(f"  … and {len(found.ended) - SHOWN} more")
    for run_id in found.open:
        typer.echo(f"{run_id} has not ended: cancel it first", err=True)
    for run_id in found.missing:
        typer.echo(printable(f"no run {run_id!r}"), err=True)


def _confirm(count: int, *, yes: bool) -> None:
    """Return if the person wants it.

    Raises:
        Failure: they do not, or there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure("nothing was erased: pass --yes to erase without a question")
    if not typer.confirm(f"Erase {_runs(count)} for good?"):
        raise Failure("nothing was erased")


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
