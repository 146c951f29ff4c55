"""Roles of an OpenID provider: the scopes that each of them gives."""

from __future__ import annotations

from relayline.contracts.principals import Scope


def parse_roles(text: str) -> dict[str, frozenset[Scope]]:
    """Scopes by role: `viewer=runs:read agents:read,admin=*`.

    Raises:
        ValueError: an item is not of that form, or names an unknown scope.
    """
    roles: dict[str, frozenset[Scope]] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        role, _, scopes = item.rpartition("=")
        if not role:
            raise ValueError(f"{item!r} is not of the form ROLE=SCOPE SCOPE, or ROLE=* for all")
        roles[role.strip()] = frozenset(Scope) if scopes.strip() == "*" else _known(scopes)
    return roles


def _known(text: str) -> frozenset[Scope]:
    try:
        return frozenset(map(Scope, text.split()))
    except ValueError as error:
        raise ValueError(f"{error}; there are {', '.join(Scope)}") from None
