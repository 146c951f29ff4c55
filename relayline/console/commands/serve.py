"""`relayline dev`, `worker`, `api`, `migrate`, `codec-server`: what an operator starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

Port = Annotated[
    int | None,
    typer.Option(
        min=0, max=65535, metavar="PORT", help="0 takes a free one.", show_default="usual or free"
    ),
]


class DevRequest(NamedTuple):
    """The options of `relayline dev`; None for one that was not given."""

    data_dir: Path | None
    api_port: int | None
    temporal_port: int | None
    ui_port: int | None
    workers: int
    local_model: bool
    reload: bool
    encrypt: bool
    opens: bool
    """Whether to open the page once everything answers."""


class Schema(NamedTuple):
    """Revisions of the journal's schema, before and after a migration."""

    before: str | None
    """None for a new schema."""
    after: str
    newest: str
    """The newest revision that this version knows; `after` may be newer."""


class EntryPoints(NamedTuple):
    """The programs behind the commands; each is imported when it is called.

    One that can't do its work raises `Failure` or exits the process itself.
    """

    dev: Callable[[DevRequest], int]
    """Returns the exit code."""
    worker: Callable[[], None]
    """Reads its settings from the environment."""
    api: Callable[[], None]
    """Reads its settings from the environment."""
    migrate: Callable[[], Schema | None]
    """Returns None if the journal is not in Postgres."""
    codec_server: Callable[[int, tuple[str, ...]], None]
    """Takes the port and the origins whose pages may use it; none means the Web UI's."""


class ServeCommands:
    """The commands; all but `migrate` run until SIGTERM or Ctrl-C."""

    def __init__(self, start: EntryPoints) -> None:
        self._start = start

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        for command in (self.dev, self.worker, self.api, self.migrate, self.codec_server):
            app.command()(command)

    def dev(  # noqa: PLR0913, PLR0917  one parameter per option
        self,
        api_port: Port = None,
        temporal_port: Port = None,
        ui_port: Port = None,
        data_dir: Annotated[
            Path | None,
            typer.Option(
                metavar="FOLDER",
                help="Where everything is kept [env var: RELAYLINE_DATA_DIR].",
                show_default=".relayline",
            ),
        ] = None,
        workers: Annotated[
            int, typer.Option(min=0, max=64, metavar="COUNT", help="Worker processes.")
        ] = 1,
        local_model: Annotated[
            bool,
            typer.Option(help="Also serve the small model `local`."),
        ] = False,
        reload: Annotated[
            bool,
            typer.Option(
                "--reload/--no-reload",
                help="Load your agents and tools again when their files change.",
            ),
        ] = True,
        encrypt: Annotated[
            bool,
            typer.Option(
                "--encrypt",
                help="Encrypt what Temporal keeps, with a key made in the data folder.",
            ),
        ] = False,
        opens: Annotated[
            bool,
            typer.Option("--open/--no-open", help="Open the page in a browser when it is there."),
        ] = False,
    ) -> None:
        """Run Temporal, workers and the API on this machine until Ctrl-C.

        Temporal comes with its Web UI. If TEMPORAL_ADDRESS or a profile names a Temporal, that one
        is used instead.
        """
        ports = (api_port, temporal_port, ui_port)
        request = DevRequest(data_dir, *ports, workers, local_model, reload, encrypt, opens)
        raise typer.Exit(self._start.dev(request))

    def worker(
        self,
        queues: Annotated[
            str | None,
            typer.Option(
                metavar="KINDS",
                help="Kinds of work to take, any of runs,models,tools [env var: RELAYLINE_QUEUES].",
                show_default="all",
            ),
        ] = None,
    ) -> None:
        """Run a worker until SIGTERM or Ctrl-C; running calls may finish."""
        if queues is not None:
            os.environ["RELAYLINE_QUEUES"] = queues
        self._start.worker()

    def api(
        self,
        workers: Annotated[
            int | None,
            typer.Option(
                min=1,
                max=64,
                metavar="COUNT",
                help="Processes that share the address [env var: RELAYLINE_API_WORKERS].",
                show_default="1",
            ),
        ] = None,
    ) -> None:
        """Serve the HTTP API until SIGTERM or Ctrl-C."""
        if workers is not None:
            os.environ["RELAYLINE_API_WORKERS"] = str(workers)
        self._start.api()

    def codec_server(
        self,
        port: Annotated[
            int, typer.Option(min=0, max=65535, metavar="PORT", help="On 127.0.0.1.")
        ] = 8234,
        origin: Annotated[
            list[str] | None,
            typer.Option(
                metavar="ORIGIN",
                help="Whose pages may use it, such as https://temporal.example.com; repeatable.",
                show_default="that of RELAYLINE_TEMPORAL_UI",
            ),
        ] = None,
    ) -> None:
        """Decrypt payloads for Temporal's Web UI and CLI until SIGTERM or Ctrl-C.

        It listens on this machine alone. With RELAYLINE_AUTH on, it decrypts for holders of the
        scope payloads:decode; otherwise for anybody who reaches it.
        """
        self._start.codec_server(port, tuple(origin or ()))

    def migrate(self) -> None:
        """Update the schema of the Postgres journal; safe to repeat.

        RELAYLINE_JOURNAL_OWNER, or else RELAYLINE_JOURNAL, names the journal. Run it before the
        processes of a new version.
        """
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
