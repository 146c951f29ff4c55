"""The console script `relayline`."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from console.ending import Failure, expecting, run_and_exit

if TYPE_CHECKING:
    from pydantic import JsonValue
    from temporalio.client import WorkflowHistory

    from console.client import ApiClient
    from embedded.stack import DevState
    from settings import Settings

# ruff: noqa: PLC0415  what a command needs is imported by that command: `--help` is quick

DEFAULT_URL = "http://127.0.0.1:8000"
INTERRUPTED = 130
_T = TypeVar("_T")

app = typer.Typer(
    name="relayline",
    help="Runs AI agents durably and lets people watch, steer and replay them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", show_default=False)]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="RELAYLINE_URL",
        help=f"The API. Without it, that of the running `relayline dev`, else {DEFAULT_URL}.",
        show_default=False,
    ),
]
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
    from embedded.errors import DevError
    from embedded.stack import DevOptions, run_dev

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
def worker() -> None:
    """Work on runs until SIGTERM or Ctrl-C."""
    import uvloop

    import worker as worker_process

    _serve(lambda: uvloop.run(worker_process.run(_settings())))


@app.command()
def api() -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C."""
    import uvloop

    from api.app import serve
    from api.server import AddressInUse

    _serve(lambda: uvloop.run(serve(_settings())), AddressInUse)


def _serve(serving: Callable[[], None], *expected: type[Exception]) -> None:
    from catalog.agents import CatalogError
    from journal.port import JournalUnavailable
    from temporal_client import TemporalUnreachable

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    with expecting(CatalogError, JournalUnavailable, TemporalUnreachable, *expected):
        serving()


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
    from console.arguments import input_text, limits_of, metadata_of

    request: dict[str, JsonValue] = {"agent": agent, "input": input_text(text), "model": model}
    request["limits"] = limits_of(limits) if limits else None
    request["metadata"] = metadata_of(metadata) if metadata else None
    base_url = _url(url)
    accepted = _asked(
        base_url, lambda client: client.submit(request, idempotency_key=idempotency_key)
    )
    if watch_it:
        _follow(base_url, accepted.run_id, as_json=as_json)
    elif as_json:
        typer.echo(accepted.model_dump_json(exclude_none=True))
    else:
        typer.echo(accepted.run_id)
        typer.echo(f"watch it with: relayline watch {accepted.run_id}", err=True)


@app.command()
def watch(run_id: RunId, as_json: AsJson = False, url: Url = None) -> None:
    """Show a run from its start to its end, as it happens; Ctrl-C detaches."""
    base_url = _url(url)
    _asked(base_url, lambda client: client.get(run_id))  # or fail at once
    _follow(base_url, run_id, as_json=as_json)


def _follow(base_url: str, run_id: str, *, as_json: bool) -> None:
    from console.watch import watch, watch_json
    from contracts.runs import RunStatus

    show = watch_json if as_json else watch
    try:
        status = _asked(base_url, lambda client: show(client, run_id, sys.stdout, sys.stderr))
    except KeyboardInterrupt as error:
        back = f"relayline watch {run_id} --url {base_url}"
        typer.echo(f"\ndetached; the run goes on. Come back with: {back}", err=True)
        raise typer.Exit(INTERRUPTED) from error
    if status is not RunStatus.COMPLETED:
        raise typer.Exit(1)


@app.command()
def pause(run_id: RunId, url: Url = None) -> None:
    """Stop a run before its next model or tool call."""
    _steer("pause", run_id, url)


@app.command()
def resume(run_id: RunId, url: Url = None) -> None:
    """Let a paused run go on."""
    _steer("resume", run_id, url)


@app.command()
def cancel(run_id: RunId, reason: str = "", url: Url = None) -> None:
    """End a run; what it is doing is told to stop."""
    _steer("cancel", run_id, url, reason)


def _steer(name: str, run_id: str, url: str | None, reason: str = "") -> None:
    from console.steer import CommandRefused, steer
    from contracts.commands import CommandKind

    kind = CommandKind(name)
    with expecting(CommandRefused):
        typer.echo(_asked(_url(url), lambda client: steer(client, run_id, kind, reason)))


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
    from console.replay import HistoryUnavailable, read
    from console.replay import replay as replay_history
    from contracts.runs import RUN_ID_PATTERN
    from workflows.agent_run import AgentRun

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


def _history(run_id: str) -> WorkflowHistory:
    from console.dev_file import running_dev
    from console.replay import HistoryUnavailable, fetch
    from temporal_client import TemporalUnreachable, configured_address

    if not configured_address() and (found := running_dev(_settings().data_dir)):
        os.environ["TEMPORAL_ADDRESS"] = found.temporal.address
    with expecting(HistoryUnavailable, TemporalUnreachable):
        return asyncio.run(fetch(run_id))


def _asked(base_url: str, ask: Callable[[ApiClient], Coroutine[None, None, _T]]) -> _T:
    """What the API answers."""
    from console.client import ApiClient
    from console.problems import ApiError

    async def asking() -> _T:
        async with ApiClient(base_url) as client:
            return await ask(client)

    with expecting(ApiError):
        return asyncio.run(asking())


def _settings() -> Settings:
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from settings import Settings

    try:
        return Settings()
    except SettingsError as error:
        raise Failure(str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = "RELAYLINE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise Failure(f"{name} is {first['input']!r}: {first['msg']}") from error


def _url(given: str | None) -> str:
    """Where the API is."""
    from console.dev_file import running_dev

    if given:
        return given
    found = running_dev(_settings().data_dir)
    return found.api.url if found else DEFAULT_URL


def main() -> None:
    """Run the command line; see `console.ending`."""
    run_and_exit(app)
