"""`relayline dev`, `worker`, `api` and `migrate`: what an operator starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

Port = Annotated[int | None, typer.Option(min=0, max=65535, show_default="usual or free")]


class DevRequest(NamedTuple):
    """What `relayline dev` was asked for; None where nothing was."""

    data_dir: Path | None
    api_port: int | None
    temporal_port: int | None
    ui_port: int | None
    workers: int
    local_model: bool


class Schema(NamedTuple):
    """What a migration found and left: revisions of the journal's schema."""

    before: str | None
    """None for a new schema."""
    after: str
    newest: str
    """The newest that this version knows; `after` may be of a later version."""


class EntryPoints(NamedTuple):
    """The programs; each is imported when it is called.

    Each raises `Failure`, or ends the process itself, where it can't do its work.
    """

    dev: Callable[[DevRequest], int]
    """Returns the exit code."""
    worker: Callable[[], None]
    """Reads the settings of the environment."""
    api: Callable[[], None]
    """Reads the settings of the environment."""
    migrate: Callable[[], Schema | None]
    """None where the journal has no schema to migrate."""


class ServeCommands:
    """Commands for a command line; all but `migrate` end with SIGTERM or Ctrl-C."""

    def __init__(self, start: EntryPoints) -> None:
        self._start = start

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        for command in (self.dev, self.worker, self.api, self.migrate):
            app.command()(command)

    def dev(  # noqa: PLR0913, PLR0917  one parameter per option
        self,
        api_port: Port = None,
        temporal_port: Port = None,
        ui_port: Port = None,
        data_dir: Annotated[Path | None, typer.Option(show_default=".relayline")] = None,
        workers: Annotated[int, typer.Option(min=0, max=64)] = 1,
        local_model: Annotated[
            bool, typer.Option(help="Serve the small local model, too.")
        ] = False,
    ) -> None:
        """Start Temporal with its Web UI, workers and the API; keep them running until Ctrl-C."""
        request = DevRequest(data_dir, api_port, temporal_port, ui_port, workers, local_model)
        raise typer.Exit(self._start.dev(request))

    def worker(
        self,
        queues: Annotated[
            str | None,
            typer.Option(metavar="KINDS", help="Any of runs,models,tools.", show_default="all"),
        ] = None,
    ) -> None:
        """Work on runs until SIGTERM or Ctrl-C."""
        if queues is not None:
            os.environ["RELAYLINE_QUEUES"] = queues
        self._start.worker()

    def api(
        self,
        workers: Annotated[
            int | None,
            typer.Option(min=1, max=64, show_default="1", help="Processes that share the address."),
        ] = None,
    ) -> None:
        """Serve the HTTP API until SIGTERM or Ctrl-C."""
        if workers is not None:
            os.environ["RELAYLINE_API_WORKERS"] = str(workers)
        self._start.api()

    def migrate(self) -> None:
        """Bring the Postgres journal of RELAYLINE_JOURNAL up to date; safe to run again."""
        done = self._start.migrate()
        if done is None:
            typer.echo("the journal is a SQLite file: nothing to migrate")
            return
        schema = f"the journal's schema is at {done.after}"
        if done.after > done.newest:
            typer.echo(f"{schema}, of a later version: left as it is")
        elif done.before == done.after:
            typer.echo(f"{schema} already")
        else:
            typer.echo(f"{schema}, it was {done.before or 'not there'}")
