"""The console script `relayline`: registers the commands and gives them what they start."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import typer

from relayline.console.commands.deploy import DeployCommands
from relayline.console.commands.history import HistoryCommands
from relayline.console.commands.run import RunCommands
from relayline.console.commands.serve import DevRequest, EntryPoints, Schema, ServeCommands
from relayline.console.commands.steer import SteeringCommands
from relayline.console.exit import expecting, run_and_exit
from relayline.console.options import DEFAULT_URL
from relayline.console.version import Version

if TYPE_CHECKING:
    from relayline.console.replay import WorkflowCode
    from relayline.runtime.settings import Settings

# ruff: noqa: PLC0415  each command imports what it needs itself: `--help` is quick

app = typer.Typer(
    name="relayline",
    help="Run AI agents durably; watch, steer and replay them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _options(_version: Version = False) -> None:
    pass


def _dev(request: DevRequest) -> int:
    from relayline.dev.options import DevError, DevOptions
    from relayline.dev.stack import run_dev
    from relayline.runtime.hiding import hide_memory

    settings = _settings()
    given = request._asdict() | {"catalog": settings.catalog}
    options = DevOptions(**(given | {"data_dir": request.data_dir or settings.data_dir}))
    hide_memory()
    with expecting(DevError):
        return asyncio.run(run_dev(options, lambda state: typer.echo(state.greeting())))


def _worker() -> None:
    from relayline.worker import main

    main()


def _api() -> None:
    from relayline.api.app import main

    main()


def _migrate() -> Schema | None:
    from relayline.journal.port import JournalUnavailable
    from relayline.journal.postgres.migrate import migrate
    from relayline.journal.postgres.sql import REVISION

    dsn = _settings().journal_dsn
    if dsn is None:
        return None
    with expecting(JournalUnavailable):
        done = asyncio.run(migrate(dsn))
    return Schema(done.before, done.after, REVISION)


def _code() -> WorkflowCode:
    """The code that `replay` runs."""
    from relayline.activities.model.call import ModelActivities
    from relayline.console.replay import WorkflowCode
    from relayline.workflows.agent_run import AgentRun

    return WorkflowCode(AgentRun, ModelActivities.call_model.__name__)


def _settle_address() -> None:
    """Use the Temporal of the running `relayline dev` if no other is configured."""
    from relayline.dev.state_file import running_dev
    from relayline.runtime.temporal import TemporalUnreachable, configured_address

    with expecting(TemporalUnreachable):
        configured = configured_address()
    if not configured and (found := running_dev(_settings().data_dir)):
        os.environ["TEMPORAL_ADDRESS"] = found.temporal.address


def _deployment() -> str:
    _settle_address()
    return _settings().deployment


def _url(given: str | None) -> str:
    """The API's base URL: the given one, that of the running `relayline dev`, or the usual one."""
    from relayline.dev.state_file import running_dev

    if given:
        return given
    found = running_dev(_settings().data_dir)
    return found.api.url if found else DEFAULT_URL


def _settings() -> Settings:
    from relayline.runtime.settings import BadSettings, load_settings

    with expecting(BadSettings):
        return load_settings()


ServeCommands(EntryPoints(_dev, _worker, _api, _migrate)).register(app)
RunCommands(_url).register(app)
SteeringCommands(_url).register(app)
HistoryCommands(_settle_address, _code).register(app)
DeployCommands(_deployment).register(app)


def main() -> None:
    """Run the command line; see `relayline.console.exit`."""
    run_and_exit(app)
