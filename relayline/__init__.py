"""Relayline: the names that a user's code needs; each is imported when it is first used."""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from relayline.catalog.agents import Agent
    from relayline.catalog.images import Image
    from relayline.catalog.resources import resource
    from relayline.catalog.servers.mcp import Env, McpServer, Override
    from relayline.catalog.tools import ToolContext, ToolError, tool
    from relayline.client import AsyncClient, Client
    from relayline.contracts.compaction import KeepLast, Summarise
    from relayline.contracts.runs import ApprovalRule, ModelSettings
else:
    _HOMES = {
        "Agent": "relayline.catalog.agents",
        "ApprovalRule": "relayline.contracts.runs",
        "AsyncClient": "relayline.client",
        "Client": "relayline.client",
        "Env": "relayline.catalog.servers.mcp",
        "Image": "relayline.catalog.images",
        "KeepLast": "relayline.contracts.compaction",
        "McpServer": "relayline.catalog.servers.mcp",
        "ModelSettings": "relayline.contracts.runs",
        "Override": "relayline.catalog.servers.mcp",
        "Summarise": "relayline.contracts.compaction",
        "ToolContext": "relayline.catalog.tools",
        "ToolError": "relayline.catalog.tools",
        "resource": "relayline.catalog.resources",
        "tool": "relayline.catalog.tools",
    }

    def __getattr__(name: str) -> object:
        """Import the name from its home; type checkers read the branch above."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415  nothing is loaded before it is used

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__() -> list[str]:
        """Names that are not imported yet are listed, too."""
        return sorted({*globals(), *__all__})


__all__ = [
    "Agent",
    "ApprovalRule",
    "AsyncClient",
    "Client",
    "Env",
    "Image",
    "KeepLast",
    "McpServer",
    "ModelSettings",
    "Override",
    "Summarise",
    "ToolContext",
    "ToolError",
    "__version__",
    "resource",
    "tool",
]
