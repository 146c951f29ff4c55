"""Builds the catalog that the worker and the API share: the built-in tools and the user's own."""

from __future__ import annotations

from relayline.activities.tool.toolbox import ToolboxConfig, build_toolbox
from relayline.catalog.agents import Catalog
from relayline.catalog.load import load_catalog
from relayline.runtime.settings import Settings


def build_catalog(settings: Settings) -> Catalog:
    """The built-in agent and tools with those of the user's own module.

    Raises:
        CatalogError: the module can't be used; the message says why.
    """
    toolbox = build_toolbox(
        ToolboxConfig(
            files_root=settings.files_root,
            hidden=settings.own_files,
            allow_commands=settings.allow_commands,
            command_network=settings.command_network,
            fetch_allow=settings.fetch_allow,
        )
    )
    return load_catalog(settings.catalog, toolbox, settings.model)
