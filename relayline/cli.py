"""The console script `relayline`."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayline.console.commands.deploy import DeployCommands
from relayline.console.commands.steer import SteeringCommands
from relayline.console.exit import Failure, expecting, run_and_exit
from relayline.console.options import DEFAULT_URL, RunId, Url, asked

if TYPE_CHECKING:
    from temporalio.client import WorkflowHistory

    from relayline.client import AsyncClient
    from relayline.dev.stack import DevState
    from relayline.runtime.settings import Settings

# ruff: noqa: PLC0415  what a command needs is imported by that command: `--help` is quick

INTERRUPTED = 130
TERMINATED = 143

app = typer.Typer(
    name="relayline",
    help="Runs AI agents durably and lets people watch, steer and replay them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Port = Annotated[int | None, typer.Option(min=0, max=65535, show_default="usual or free")]
AsJson = Annotated[bool, typer.Option("--json", help="One event as JSON per line, nothing else.")]
Pairs = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", show_default=False)]


@app.command()
def dev(  # noqa: PLR0913, PLR0917  one parameter per option
    api_port: Port = None,
    temporal_port: Port = None,
    ui_port: Port = None,
    data_dir: Annotated[Path | None, typer.Option(show_default=".relayline")] = None,
    workers: Annotated[int, typer.Option(min=0, max=64)] = 1,
    local_model: Annotated[bool, typer.Option(help="Serve the small local model, too.")] = False,
) -> None:
    """Start Temporal with its Web UI, workers and the API; keep them running until Ctrl-C."""
    from relayline.dev.options import DevError
    from relayline.dev.stack import DevOptions, run_dev

    options = DevOptions(
        data_dir=data_dir or _settings().data_dir,
        api_port=api_port,
        temporal_port=temporal_port,
        ui_port=ui_port,
        workers=workers,
        local_model=local_model,
    )
    with expecting(DevError):
        raise typer.Exit(asyncio.run(run_dev(options, _ready)))


def _ready(state: DevState) -> None:
    ui = f", Web UI {state.temporal_ui}" if state.temporal_ui else " (as configured)"
    typer.echo(f"API       {state.api_url} (its pages: {state.api_url}/docs)")
    typer.echo(f"Temporal  {state.temporal_address}{ui}")
    typer.echo('Try: relayline run "What is 6*7? See README.md" --watch\nCtrl-C stops everything.')


@app.command()
def worker(
    queues: Annotated[
        str | None,
        typer.Option(metavar="KINDS", help="Any of runs,models,tools.", show_default="all"),
    ] = None,
) -> None:
    """Work on runs until SIGTERM or Ctrl-C."""
    from relayline.worker import main

    if queues is not None:
        os.environ["RELAYLINE_QUEUES"] = queues
    main()


@app.command()
def api(
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, show_default="1", help="Processes that share the address."),
    ] = None,
) -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C."""
    from relayline.api.app import main

    if workers is not None:
        os.environ["RELAYLINE_API_WORKERS"] = str(workers)
    main()


@app.command()
def run(  # noqa: PLR0913, PLR0917  one parameter per option
    text: Annotated[str, typer.Argument(metavar="INPUT", help="`-` reads it from stdin.")],
    agent: str = "assistant",
    model: Annotated[str | None, typer.Option(help="In place of the agent's own.")] = None,
    limits: Pairs = None,
    metadata: Pairs = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key and request again is the same run.")
    ] = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Show the run as it happens.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Submit a run; print its id, or with --watch show it to its end.

    Exit code with --watch: 0 if the run completed, 1 if it ended otherwise.
    """
    from relayline.console.arguments import input_text, limits_of, metadata_of

    given = input_text(text)
    base_url = _url(url)
    submitted = asked(
        base_url,
        lambda client: client.submit(
            agent,
            given,
            model=model,
            limits=limits_of(limits) if limits else None,
            metadata=metadata_of(metadata) if metadata else None,
            idempotency_key=idempotency_key,
        ),
    )
    if watch_it:
        _follow(base_url, submitted.id, as_json=as_json)
    elif as_json and submitted.accepted:
        typer.echo(submitted.accepted.model_dump_json(exclude_none=True))
    else:
        typer.echo(submitted.id)
        typer.echo(f"watch it with: relayline watch {submitted.id}", err=True)


@app.command()
def watch(run_id: RunId, as_json: AsJson = False, url: Url = None) -> None:
    """Show a run from its start to its end, as it happens; Ctrl-C detaches."""
    base_url = _url(url)
    asked(base_url, lambda client: client.run(run_id).get())  # or fail at once
    _follow(base_url, run_id, as_json=as_json)


def _follow(base_url: str, run_id: str, *, as_json: bool) -> None:
    from relayline.console.tty.watch import watch, watch_json
    from relayline.console.tty.wheel import steerable, watch_and_steer
    from relayline.contracts.runs import RunStatus

    async def show(client: AsyncClient) -> RunStatus:
        run = client.run(run_id)
        if as_json:
            return await watch_json(run, sys.stdout, sys.stderr)
        if sys.stdin and steerable(sys.stdin, sys.stdout):
            return await watch_and_steer(run, sys.stdout, sys.stdin)
        return await watch(run, sys.stdout, sys.stderr)

    try:
        status = asked(base_url, show)
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        back = f"relayline watch {run_id} --url {base_url}"
        typer.echo(f"\ndetached; the run goes on. Come back with: {back}", err=True)
        interrupted = isinstance(error, KeyboardInterrupt)
        raise typer.Exit(INTERRUPTED if interrupted else TERMINATED) from error
    if status is not RunStatus.COMPLETED:
        raise typer.Exit(1)


@app.command()
def export(
    run_id: RunId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", show_default="stdout")
    ] = None,
) -> None:
    """Write a run's Temporal history as JSON."""
    history = _history(run_id)
    if output is None:
        typer.echo(history.to_json())
    else:
        with expecting(OSError):
            output.write_text(history.to_json() + "\n")
    typer.echo(f"{len(history.events)} events written to {output or 'stdout'}", err=True)


@app.command()
def replay(
    target: Annotated[str, typer.Argument(metavar="RUN|FILE", help="Its id, or its export.")],
) -> None:
    """Replay a run's history against the code as it is; exit 1 where they diverge."""
    from relayline.console.replay import HistoryUnavailable, read
    from relayline.console.replay import replay as replay_history
    from relayline.contracts.runs import RUN_ID_PATTERN
    from relayline.workflows.agent_run import AgentRun

    logging.getLogger("temporalio").addHandler(logging.NullHandler())  # the outcome is told below
    if Path(target).exists():
        with expecting(HistoryUnavailable):
            history = read(Path(target))
    elif re.match(RUN_ID_PATTERN, target):
        history = _history(target)
    else:
        raise typer.BadParameter(f"{target!r} is neither a file nor a run's id (`run_…`)")
    outcome = asyncio.run(replay_history(history, AgentRun))
    if found := outcome.divergence:
        where = f"step {found.step}, event {found.event_id}, {found.event}"
        raise Failure(f"{target} diverges from this code at {where}: {found.message}")
    typer.echo(f"{target} fits this code: {outcome.events} events, {outcome.steps} steps replayed")


@app.command()
def migrate() -> None:
    """Bring the Postgres journal of RELAYLINE_JOURNAL up to date; safe to run again."""
    from relayline.journal.port import JournalUnavailable
    from relayline.journal.postgres.migrate import migrate as migrate_schema
    from relayline.journal.postgres.sql import REVISION

    dsn = _settings().journal_dsn
    if dsn is None:
        typer.echo("the journal is a SQLite file: nothing to migrate")
        return
    with expecting(JournalUnavailable):
        done = asyncio.run(migrate_schema(dsn))
    if done.after > REVISION:
        typer.echo(f"the journal's schema is at {done.after}, of a later version: left as it is")
    elif done.before == done.after:
        typer.echo(f"the journal's schema is at {done.after} already")
    else:
        typer.echo(f"the journal's schema is at {done.after}, it was {done.before or 'not there'}")


def _history(run_id: str) -> WorkflowHistory:
    from relayline.console.replay import HistoryUnavailable, fetch
    from relayline.runtime.temporal import TemporalUnreachable

    _settle_address()
    with expecting(HistoryUnavailable, TemporalUnreachable):
        return asyncio.run(fetch(run_id))


def _settle_address() -> None:
    """Where no Temporal is configured, that of a running `relayline dev` is meant."""
    from relayline.dev.state_file import running_dev
    from relayline.runtime.temporal import TemporalUnreachable, configured_address

    with expecting(TemporalUnreachable):
        configured = configured_address()
    if not configured and (found := running_dev(_settings().data_dir)):
        os.environ["TEMPORAL_ADDRESS"] = found.temporal.address


def _deployment() -> str:
    _settle_address()
    return _settings().deployment


def _settings() -> Settings:
    from relayline.runtime.settings import BadSettings, load_settings

    with expecting(BadSettings):
        return load_settings()


def _url(given: str | None) -> str:
    """Where the API is."""
    from relayline.dev.state_file import running_dev

    if given:
        return given
    found = running_dev(_settings().data_dir)
    return found.api.url if found else DEFAULT_URL


SteeringCommands(_url).register(app)
DeployCommands(_deployment).register(app)


def main() -> None:
    """Run the command line; see `relayline.console.exit`."""
    run_and_exit(app)
