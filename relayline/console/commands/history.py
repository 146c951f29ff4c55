"""`relayline export` and `replay`: save a run's Temporal history, and check the code against it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayline.console.exit import Failure, expecting
from relayline.console.options import RunId

if TYPE_CHECKING:
    from temporalio.client import WorkflowHistory

    from relayline.console.replay import WorkflowCode
    from relayline.runtime.payloads.ring import KeyRing

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick


class HistoryCommands:
    """The commands; they exit with 1 and one line if the history can't be had."""

    def __init__(
        self,
        settle_address: Callable[[], None],
        code: Callable[[], WorkflowCode],
        keyring: Callable[[], KeyRing],
    ) -> None:
        """Create the commands.

        Args:
            settle_address: Called before a request to Temporal; sets its address if none is set.
            code: Imports the code that `replay` runs.
            keyring: Keys of encrypted histories.
        """
        self._settle_address = settle_address
        self._code = code
        self._keyring = keyring

    def register(self, app: typer.Typer) -> None:
        """Add them to a command line."""
        for command in (self.export, self.replay):
            app.command()(command)

    def export(
        self,
        run_id: RunId,
        output: Annotated[
            Path | None,
            typer.Option(
                "--output",
                "-o",
                metavar="FILE",
                help="The file to write.",
                show_default="stdout",
            ),
        ] = None,
    ) -> None:
        """Save a run's Temporal history as JSON; what is encrypted stays so."""
        history = self._fetched(run_id)
        if output is None:
            typer.echo(history.to_json())
        else:
            try:
                output.write_text(history.to_json() + "\n")
            except OSError as error:
                said = error.strerror
                raise Failure(f"{output} can't be written ({said}): choose another file") from error
        typer.echo(f"{len(history.events)} events written to {output or 'stdout'}", err=True)

    def replay(
        self,
        target: Annotated[
            str,
            typer.Argument(metavar="RUN|FILE", help="The run's id, or a file that `export` wrote."),
        ],
    ) -> None:
        """Replay a run's history against this code.

        Exits with 1 if they diverge, and says where.
        """
        from relayline.console.replay import HistoryUnavailable, read, replay
        from relayline.contracts.runs import RUN_ID_PATTERN

        logging.getLogger("temporalio").addHandler(
            logging.NullHandler()
        )  # the outcome is printed below
        if Path(target).exists():
            with expecting(HistoryUnavailable):
                history = read(Path(target))
        elif re.match(RUN_ID_PATTERN, target):
            history = self._fetched(target)
        else:
            raise typer.BadParameter(f"{target!r} is neither a file nor a run's id (`run_…`)")
        with expecting(HistoryUnavailable):
            outcome = asyncio.run(replay(history, self._code(), self._keyring()))
        if found := outcome.divergence:
            where = f"step {found.step}, event {found.event_id}, {found.event}"
            raise Failure(f"{target} diverges from this code at {where}: {found.message}")
        fits = f"{outcome.events} events, {outcome.steps} steps replayed"
        typer.echo(f"{target} fits this code: {fits}")

    def _fetched(self, run_id: str) -> WorkflowHistory:
        from relayline.console.replay import HistoryUnavailable, fetch
        from relayline.runtime.temporal import TemporalUnreachable

        self._settle_address()
        with expecting(HistoryUnavailable, TemporalUnreachable):
            return asyncio.run(fetch(run_id))
