"""Builds what the worker and the API share: the catalog, the checks of requests and receivers.

As a program, it builds the catalog, tells the API of it, and prints the files that the user's part
was made from.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from relayline.activities.model.providers.factory import ProviderConfig, usable_providers
from relayline.activities.tool.toolbox import ToolboxConfig, build_toolbox
from relayline.api.runs.validation import RequestLimits, RunValidator
from relayline.catalog.agents import Catalog, CatalogError
from relayline.catalog.load import load_catalog
from relayline.catalog.tools import Tool
from relayline.contracts.envelope import microseconds
from relayline.contracts.operation.catalogs import CatalogSpecs
from relayline.contracts.runs import AgentSpec
from relayline.journal.port import JournalUnavailable
from relayline.journal.table import Storage
from relayline.outbound.receiver import Rules
from relayline.runtime.prices import Prices, parse_prices
from relayline.runtime.process import opened_journal, run_process
from relayline.runtime.settings import Settings

_NOT_OURS = ("site-packages", "dist-packages", "__pycache__")
"""Folders of files that nobody edits."""
_PACKAGE = Path(__file__).parent


def build_catalog(settings: Settings, *, own: bool = True) -> Catalog:
    """The built-in agent and tools with those of the user's own module.

    Args:
        settings: Of the process.
        own: False: only what is built in; no code of the user's is imported.

    Raises:
        CatalogError: the module can't be used; the message says why.
    """
    module = settings.catalog if own else ""
    return load_catalog(module, toolbox_of(settings), settings.model)


def toolbox_of(settings: Settings) -> Sequence[Tool]:
    """The built-in tools."""
    return build_toolbox(
        ToolboxConfig(
            files_root=settings.files_root,
            files_by_tenant=bool(settings.auth_modes),
            hidden=settings.own_files,
            allow_commands=settings.allow_commands,
            command_network=settings.command_network,
            fetch_allow=settings.fetch_allow,
        )
    )


async def tell_catalog(
    storage: Storage, settings: Settings, catalog: Catalog, *, seen: bool
) -> CatalogSpecs:
    """Write what the catalog has, so that the API knows it: it imports no module of the user's.

    Args:
        storage: The journal.
        settings: With the build that has the catalog.
        catalog: The catalog.
        seen: True if a worker starts with it.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    tools = {name: tool.spec for name, tool in catalog.tools.items()}
    specs = CatalogSpecs.of(catalog.agents, tools)
    now = microseconds(datetime.now(UTC))
    await storage.catalogs.write(settings.build_id, specs, now, seen=seen)
    return specs


def build_validator(
    settings: Settings,
    agents: Mapping[str, AgentSpec],
    fresh: Callable[[str | None], Awaitable[None]] | None = None,
) -> RunValidator:
    """The checks of a request: the same whether a client or a schedule submits it.

    Args:
        settings: With the limits of a request.
        agents: Those that there are.
        fresh: Makes these the agents of now; None: they don't change.
    """
    limits = RequestLimits(
        settings.max_input_bytes, settings.max_metadata_keys, settings.retention_days
    )
    return RunValidator(agents, limits, Prices(parse_prices(settings.prices)).knows, fresh)


def provider_names(settings: Settings) -> tuple[str, ...]:
    """The providers of models that this process has a key or an address for."""
    return usable_providers(
        ProviderConfig(
            compatible_base_url=settings.compatible_base_url,
            local_base_url=settings.local_base_url,
        )
    )


def receiver_rules(settings: Settings) -> Rules:
    """Which receivers of webhooks may be reached."""
    return Rules(frozenset(settings.webhook_allow), loopback=settings.webhook_loopback)


async def _tell_files(settings: Settings) -> None:
    """Tell of the catalog; print, as the last line, a JSON list of the files that it was made from.

    These are the modules that it imports and what it reads meanwhile in its folders, such as
    prompts; installed packages are left out.

    Raises:
        CatalogError: the module can't be used.
        JournalUnavailable: the journal can't be written.
    """
    opened: list[str] = []

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and arguments[1] in {"r", "rb", "rt"}:
            opened.append(arguments[0])

    known = set(sys.modules)
    sys.addaudithook(audit)
    catalog = build_catalog(settings)
    fresh = [sys.modules[name] for name in set(sys.modules) - known]
    sources = {str(getattr(module, "__file__", None) or "") for module in fresh}
    modules = set(filter(_editable, sources))
    async with opened_journal(settings) as journal:
        await tell_catalog(journal, settings, catalog, seen=False)
    folders = {Path.cwd(), *(Path(module).parent for module in modules)}
    read = {path for path in map(os.path.abspath, opened) if folders & {*Path(path).parents}}
    sys.stdout.write("\n" + json.dumps(sorted(modules | set(filter(_editable, read)))) + "\n")


def _editable(file: str) -> bool:
    """True for a file that belongs neither to Python, nor to Relayline, nor to what is installed.

    Hidden files and folders don't count.
    """
    path = Path(file)
    installed = path.is_relative_to(sysconfig.get_path("stdlib")) or path.is_relative_to(_PACKAGE)
    hidden = any(part.startswith(".") for part in path.parts)
    return not (installed or hidden or {*path.parts} & {*_NOT_OURS}) and path.is_file()


def main() -> None:
    """Check the catalog that the settings name; exit 1 with one line if it can't be used."""
    run_process("catalog", _tell_files, CatalogError, JournalUnavailable)


if __name__ == "__main__":
    main()
