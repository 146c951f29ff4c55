"""Shows a run of `relayline run --dry`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import typer
from pydantic import JsonValue

from relayline.console.tty.live import screen_for
from relayline.console.tty.narrator import Narrator
from relayline.console.tty.watch import json_line
from relayline.contracts.envelope import Envelope, StoredEvent
from relayline.contracts.runs import RunStatus


class DryRun(NamedTuple):
    """A run in this process, with nothing changed outside."""

    agent: str
    message: str
    model: str | None
    limits: Mapping[str, JsonValue]
    metadata: Mapping[str, str]
    output_schema: dict[str, JsonValue] | None
    settings: Mapping[str, JsonValue]


DoDry = Callable[[DryRun, Callable[[StoredEvent], None]], RunStatus]
"""Does a run and tells its events; how it stands at the end."""


def show_dry(do: DoDry, asked: DryRun, *, as_json: bool) -> None:
    """Do it, and show it as `watch` does.

    Raises:
        Exit: it did not complete.
    """
    narrator = Narrator()

    def write(event: StoredEvent) -> None:
        typer.echo(json_line(event.envelope_json()))

    def tell(event: StoredEvent) -> None:
        narrator.tell(Envelope.model_validate_json(event.envelope_json()))

    if as_json:
        status = do(asked, write)
    else:
        with screen_for(sys.stdout, sys.stderr, narrator.status_line) as screen:
            narrator.open(screen)
            status = do(asked, tell)
    if status is not RunStatus.COMPLETED:
        typer.echo(f"the run is {status}", err=True)
        raise typer.Exit(1)
