"""The option `--version`."""

from __future__ import annotations

from typing import Annotated

import typer

from relayline import __version__


def _print_and_exit(asked_for: bool) -> None:
    if asked_for:
        typer.echo(f"relayline {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_print_and_exit, is_eager=True, help="Show the version and exit."
    ),
]
"""Prints `relayline X.Y.Z` and ends the command, whatever else is asked for."""
