"""The console script `relayline`: registers the commands and gives them what they start."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import typer

from relayline.commands import agent_commands
from relayline.console.commands.audit import AuditCommands
from relayline.console.commands.batch import BatchCommands
from relayline.console.commands.catalog import CatalogCommands
from relayline.console.commands.deploy import DeployCommands
from relayline.console.commands.doctor import DoctorCommand
from relayline.console.commands.erase import EraseCommands
from relayline.console.commands.first_key import FirstKeyCommand
from relayline.console.commands.forks.fork import ForkCommand
from relayline.console.commands.history import HistoryCommands
from relayline.console.commands.key import KeyCommands
from relayline.console.commands.keyring.payload_keys import KeyringCommands
from relayline.console.commands.keyring.tenants import TenantKeyCommands
from relayline.console.commands.listen import ListenCommand
from relayline.console.commands.mcp.mcp_servers import McpCommands
from relayline.console.commands.mcp.serve_tools import ToolsCommands
from relayline.console.commands.run import RunCommands
from relayline.console.commands.schedule import ScheduleCommands
from relayline.console.commands.serve import DevRequest, EntryPoints, Schema, ServeCommands
from relayline.console.commands.steer import SteeringCommands
from relayline.console.commands.webhook import WebhookCommands
from relayline.console.exit import expecting, run_and_exit
from relayline.console.options import DEFAULT_URL, ApiKeyFile, use_key_file
from relayline.console.version import Version

if TYPE_CHECKING:
    from datetime import timedelta

    from relayline.console.commands.key import KeyStore
    from relayline.console.replay import WorkflowCode
    from relayline.journal.access.audit import Audit
    from relayline.journal.table import Storage
    from relayline.journal.tenants.tenant_keys import TenantKey
    from relayline.runtime.payloads.ring import KeyRing
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
def _options(_version: Version = False, api_key_file: ApiKeyFile = None) -> None:
    if api_key_file is not None:
        use_key_file(api_key_file)


def _dev(request: DevRequest) -> int:
    from relayline.dev.browser import open_page
    from relayline.dev.options import DevError, DevOptions
    from relayline.dev.stack import report, run_dev
    from relayline.dev.state_file import DevState
    from relayline.runtime.hiding import hide_memory

    settings = agent_commands.configured()
    data_dir = request.data_dir or settings.data_dir
    given = request._asdict() | {"catalog": settings.catalog, "data_dir": data_dir}
    opens = given.pop("opens")
    given["keys_configured"] = bool(settings.payload_keys or settings.payload_keys_file)
    if "keys" in settings.auth_modes:
        given["own_key"] = partial(_own_key, settings.model_copy(update={"data_dir": data_dir}))
    options = DevOptions(**given)

    def ready(state: DevState) -> None:
        typer.echo(state.greeting())
        if opens:
            open_page(state.page, report)

    hide_memory()
    with expecting(DevError):
        return asyncio.run(run_dev(options, ready))


async def _own_key(settings: Settings) -> None:
    """Make the key of `relayline dev`, unless it has one that holds.

    Raises:
        DevError: it can't be made; the message says why.
    """
    from relayline.dev.options import DevError
    from relayline.dev.own_key import ensure_own_key
    from relayline.journal.port import JournalUnavailable

    try:
        async with _key_store(settings) as store:
            await ensure_own_key(settings.data_dir, store.issuer)
    except JournalUnavailable as error:
        raise DevError(str(error)) from error


@asynccontextmanager
async def _key_store(settings: Settings | None = None) -> AsyncIterator[KeyStore]:
    """The stored API keys; on the journal itself, so that there can be a first one."""
    from relayline.console.commands.key import KeyStore
    from relayline.journal.access.issuing import KeyIssuer
    from relayline.runtime.process import opened_journal
    from relayline.runtime.secret import load_secrets
    from relayline.runtime.settings import BadSettings

    settings = settings or agent_commands.configured()
    async with opened_journal(settings) as journal:
        with expecting(BadSettings):
            ring = load_secrets(settings, make=True)
        issuer = KeyIssuer(journal.api_keys, ring, settings.key_environment)
        yield KeyStore(journal.api_keys, issuer, journal.audit)


@asynccontextmanager
async def _new_key_store() -> AsyncIterator[KeyStore]:
    """The same at a first start, which makes the file of the secret."""
    from relayline.runtime.secret import ensure_secret_file
    from relayline.runtime.settings import BadSettings

    settings = agent_commands.configured()
    with expecting(BadSettings):
        ensure_secret_file(settings)
    async with _key_store(settings) as store:
        yield store


@asynccontextmanager
async def _audit() -> AsyncIterator[Audit]:
    """The audit log, on the journal itself."""
    from relayline.runtime.process import opened_journal

    async with opened_journal(agent_commands.configured()) as journal:
        yield journal.audit


@asynccontextmanager
async def _storage() -> AsyncIterator[Storage]:
    """The journal itself, with the keys that wrap those of tenants."""
    from relayline.runtime.process import opened_journal

    async with opened_journal(agent_commands.configured(), _keyring()) as journal:
        yield journal


async def _tenant_keys() -> Sequence[TenantKey]:
    """The keys of tenants; none where there is no journal yet."""
    settings = agent_commands.configured()
    if settings.journal_dsn is None and not settings.journal_path.exists():
        return ()
    async with _storage() as journal:
        return await journal.tenant_keys.keys()


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

    settings = agent_commands.configured()
    dsn = settings.journal_owner or settings.journal_dsn
    if dsn is None:
        return None
    with expecting(JournalUnavailable):
        done = asyncio.run(migrate(dsn, _keyring()))
    return Schema(done.before, done.after, REVISION)


def _codec_server(port: int, origins: tuple[str, ...]) -> None:
    from relayline.codec_server import CodecOptions, main

    main(CodecOptions(port, origins))


def _keyring() -> KeyRing:
    """The configured keys, else those of the data folder of `relayline dev`."""
    from relayline.dev.encryption import KEYS_FILE
    from relayline.runtime.payloads.key_settings import read_keys
    from relayline.runtime.payloads.ring import BadKeys

    settings = agent_commands.configured()
    file = settings.data_dir / KEYS_FILE
    with expecting(BadKeys):
        ring = settings.keyring()
        return ring if ring.ids or not file.exists() else read_keys(file, KEYS_FILE)


def _code() -> WorkflowCode:
    """The code that `replay` runs."""
    from relayline.activities.model.call import ModelActivities
    from relayline.console.replay import WorkflowCode
    from relayline.workflows.agent_run import AgentRun
    from relayline.workflows.runner import SignalHeaders

    return WorkflowCode(AgentRun, ModelActivities.call_model.__name__, [SignalHeaders()])


def _settle_address() -> None:
    """Use the Temporal of the running `relayline dev` if no other is configured."""
    from relayline.dev.state_file import running_dev
    from relayline.runtime.temporal import TemporalUnreachable, configured_address

    with expecting(TemporalUnreachable):
        configured = configured_address()
    if not configured and (found := running_dev(agent_commands.configured().data_dir)):
        os.environ["TEMPORAL_ADDRESS"] = found.temporal.address


def _deployment() -> str:
    _settle_address()
    return agent_commands.configured().deployment


def _retention() -> timedelta | None:
    _settle_address()
    return agent_commands.configured().retention


def _url(given: str | None) -> str:
    """The API's base URL: the given one, that of the running `relayline dev`, or the usual one."""
    from relayline.dev.own_key import OWN_KEY_FILE
    from relayline.dev.state_file import running_dev

    if given:
        return given
    data_dir = agent_commands.configured().data_dir
    found = running_dev(data_dir)
    if found and (data_dir / OWN_KEY_FILE).exists() and "RELAYLINE_API_KEY" not in os.environ:
        use_key_file(data_dir / OWN_KEY_FILE)
    return found.api.url if found else DEFAULT_URL


ServeCommands(EntryPoints(_dev, _worker, _api, _migrate, _codec_server)).register(app)
RunCommands(_url, agent_commands.dry_run).register(app)
ForkCommand(_url).register(app)
ToolsCommands(agent_commands.serve_tools).register(app)
BatchCommands(_url).register(app)
ScheduleCommands(_url).register(app)
SteeringCommands(_url).register(app)
WebhookCommands(_url).register(app)
ListenCommand(_url).register(app)
EraseCommands(_url).register(app)
HistoryCommands(_settle_address, _code, _keyring).register(app)
DeployCommands(_deployment).register(app)
FirstKeyCommand(_new_key_store).register(KeyCommands(_key_store).register(app))
AuditCommands(_audit).register(app)
CatalogCommands(partial(agent_commands.push_catalog, _storage)).register(app)
DoctorCommand(_retention).register(app)
McpCommands(agent_commands.mcp_desk, _url).register(app)
TenantKeyCommands(_storage).register(
    KeyringCommands(_settle_address, _keyring, _tenant_keys).register(app)
)


def main() -> None:
    """Run the command line; see `relayline.console.exit`."""
    run_and_exit(app)
