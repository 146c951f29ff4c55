"""Makes the connection wing of a worker, without loading the SDK where nobody wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relayline.activities.tool.mcp.servers import McpServers
    from relayline.catalog.servers.mcp import McpServer


def mcp_servers(declared: Mapping[str, McpServer]) -> McpServers | None:
    """The servers of a catalog, not connected yet; None if it declares none."""
    if not declared:
        return None
    from relayline.activities.tool.mcp.servers import (  # noqa: PLC0415  takes most of a second
        McpServers,
    )

    return McpServers(declared)
