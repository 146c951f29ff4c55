"""The console script `relayline`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def relayline() -> None:
    """Relayline."""


@app.command()
def dev(
    data_dir: Annotated[Path, typer.Option()] = Path(".relayline"),
    api_port: Annotated[int | None, typer.Option()] = None,
    temporal_port: Annotated[int | None, typer.Option()] = None,
    ui_port: Annotated[int | None, typer.Option()] = None,
    workers: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Start Temporal, workers and the API."""
    from embedded.stack import DevOptions, run_dev  # noqa: PLC0415

    options = DevOptions(data_dir, api_port, temporal_port, ui_port, workers)
    sys.exit(asyncio.run(run_dev(options, lambda state: typer.echo(state.api_url))))


def main() -> None:
    """Run it."""
    app()
