"""Names at the top level that Relayline's modules had before all of them were `relayline.…`."""

from __future__ import annotations

from types import MappingProxyType

MOVED = MappingProxyType(
    {
        "activities": "from relayline.activities… import …",
        "api": "from relayline.api… import …",
        "catalog": "from relayline import Agent, tool",
        "cli": "from relayline.cli import …",
        "console": "from relayline.console… import …",
        "contracts": "from relayline import ApprovalRule, KeepLast, Summarise",
        "embedded": "from relayline.dev… import …",
        "housekeeper": "from relayline.housekeeper import …",
        "journal": "from relayline.journal… import …",
        "settings": "from relayline.runtime.settings import …",
        "supervision": "from relayline.runtime.children… import …",
        "temporal_client": "from relayline.runtime.temporal import …",
        "temporal_namespace": "from relayline.runtime.namespace import …",
        "wiring": "from relayline.wiring import …",
        "worker": "from relayline.worker import …",
        "workflows": "from relayline.workflows… import …",
    }
)
"""The line that replaces an import, by the old name of the package or module."""
_REST = {name: f" (anything else is in `relayline.{name}`)" for name in ("catalog", "contracts")}


def advice(name: str | None) -> str:
    """What to write instead, empty for a name that was never ours.

    Args:
        name: The module that was not found; `catalog.agents` is the user's own `catalog`.
    """
    if name is None or name not in MOVED:
        return ""
    return f"if Relayline's is meant, write `{MOVED[name]}`{_REST.get(name, '')}"
