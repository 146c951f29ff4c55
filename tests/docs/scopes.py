"""The table of scopes with their routes, as the code has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fastapi.routing import APIWebSocketRoute

from relayline.api.app import ROUTERS
from relayline.api.auth.scopes import scope_of
from relayline.api.depends import Route
from relayline.contracts.principals import Scope
from tests.docs.described import row

SOCKET = "/v1/runs/{run_id}/socket"
"""The one WebSocket: it makes requests to other routes, which check them."""


def routes() -> Iterator[Route]:
    """Every route of the API, but the WebSocket."""
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIWebSocketRoute):
                assert route.path == SOCKET
                continue
            assert isinstance(route, Route), f"{route} is not of our class: it checks no scope"
            yield route


def scopes() -> Iterator[str]:
    """Lines of the table."""
    found: dict[Scope | None, list[str]] = defaultdict(list)
    for route in routes():
        for method in sorted(route.methods or ()):
            found[scope_of(route.openapi_extra)].append(f"`{method} {route.path}`")
    yield from ("| scope | routes |", "|---|---|")
    for scope in Scope:
        yield row(f"`{scope.value}`", " · ".join(found[scope]))
    yield row("none", " · ".join(found[None]))
