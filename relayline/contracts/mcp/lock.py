"""The lock file: which definitions of tools a person has accepted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from relayline.contracts.frozen import Frozen
from relayline.contracts.mcp.digests import lock_digest


class Lock(Frozen):
    """Digests of accepted definitions, see `lock_digest`."""

    version: int = 1
    servers: dict[str, dict[str, str]] = {}  # noqa: RUF012  pydantic copies it
    """By the name of the server, by the name that it knows the tool by."""

    def problem(self, server: str, definition: Mapping[str, JsonValue]) -> str | None:
        """Why this tool may not be offered, None if it may."""
        accepted = self.servers.get(server, {}).get(str(definition["name"]))
        if accepted is None:
            return "it is new: the lock file does not accept it"
        if accepted != lock_digest(definition):
            return "its definition has changed since the lock file accepted it"
        return None

    def accepting(self, server: str, definitions: Iterable[Mapping[str, JsonValue]]) -> Lock:
        """The same, with these definitions as all that is accepted of the server."""
        digests = {str(it["name"]): lock_digest(it) for it in definitions}
        servers = {**self.servers, server: dict(sorted(digests.items()))}
        return Lock(version=self.version, servers=dict(sorted(servers.items())))
