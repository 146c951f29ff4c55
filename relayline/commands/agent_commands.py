"""What commands about agents, tools and MCP servers start; each imports it when it is used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from relayline.console.exit import expecting

if TYPE_CHECKING:
    from relayline.commands.mcp_desk import McpDesk
    from relayline.console.tty.dry_shown import DryRun
    from relayline.contracts.envelope import StoredEvent
    from relayline.contracts.runs import RunStatus
    from relayline.journal.table import Storage
    from relayline.runtime.settings import Settings

# ruff: noqa: PLC0415  `--help` is quick


def configured() -> Settings:
    """The settings of the environment.

    Raises:
        Failure: they can't be used.
    """
    from relayline.runtime.settings import BadSettings, load_settings

    with expecting(BadSettings):
        return load_settings()


def dry_run(asked: DryRun, told: Callable[[StoredEvent], None]) -> RunStatus:
    """Run an agent of the catalog in this process; how it stands at the end.

    Raises:
        Failure: it can't be done.
    """
    from relayline.testing.dry import NoDryRun
    from relayline.testing.dry import dry_run as run

    settings = configured()
    with expecting(NoDryRun):
        return run(settings, asked, told)


def serve_tools(module: str, host: str, port: int | None) -> None:
    """Serve the tools of a module, as `tool_server.run`."""
    from relayline.tool_server import run

    run(module, host, port)


@asynccontextmanager
async def mcp_desk() -> AsyncIterator[McpDesk]:
    """The MCP servers of the configured catalog."""
    from relayline.commands.mcp_desk import mcp_desk as opened

    async with opened(configured()) as desk:
        yield desk


async def push_catalog(storage: Callable[[], AbstractAsyncContextManager[Storage]]) -> str:
    """Write the catalog into the journal; returns what to say of it.

    Args:
        storage: Opens the journal.

    Raises:
        Failure: the catalog or the keys can't be used.
    """
    from relayline.catalog.agents import CatalogError
    from relayline.wiring import build_catalog, tell_catalog

    settings = configured()
    with expecting(CatalogError):
        catalog = build_catalog(settings)
    async with storage() as journal:
        specs = await tell_catalog(journal, settings, catalog, seen=False)
    build = f"build {settings.build_id}" if settings.build_id else "workers without a build"
    return f"{build}: agents {', '.join(agent.name for agent in specs.agents)}"
