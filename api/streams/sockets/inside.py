"""Requests that the server makes of itself for a client on a WebSocket.

Each passes the same checks as over HTTP: credentials, scopes, rates, tenants, limits, audit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from pydantic import JsonValue
from starlette.types import ASGIApp, Message, Scope

from relayline.api.auth.bearer import access_of

_KEPT = frozenset({b"host", b"origin", b"user-agent", b"x-request-id"})
"""Headers of the handshake that each request has."""


class Answered(NamedTuple):
    """An answer."""

    status: int
    body: dict[str, JsonValue]
    retry_after_s: str | None

    @property
    def ok(self) -> bool:
        """True unless it is a problem document."""
        return self.status < HTTPStatus.BAD_REQUEST

    @property
    def slug(self) -> str:
        """The problem's stable type."""
        return str(self.body.get("type", "")).rpartition(":")[2]


class Inside:
    """Makes requests in the name of whoever opened a WebSocket."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        """Create it.

        Args:
            app: The whole app, with its middleware.
            scope: Of the WebSocket.
        """
        self._app = app
        headers = [field for field in scope["headers"] if field[0] in _KEPT]
        if access := access_of(scope):
            headers.append((b"authorization", f"Bearer {access.credential}".encode("latin-1")))
        kept = ("asgi", "http_version", "server", "client", "root_path")
        scheme = "https" if scope["scheme"] == "wss" else "http"
        self._scope: Scope = {
            **{name: scope[name] for name in kept},
            "type": "http",
            "scheme": scheme,
            "extensions": {},
        }
        self._headers = headers

    async def get(self, path: str, query: str = "") -> Answered:
        """GET."""
        return await self._request("GET", path, query.encode(), b"")

    async def post(self, path: str, body: Mapping[str, JsonValue]) -> Answered:
        """POST."""
        return await self._request("POST", path, b"", json.dumps(body).encode())

    async def _request(self, method: str, path: str, query: bytes, body: bytes) -> Answered:
        """The answer."""
        length = (b"content-length", b"%d" % len(body))
        scope: Scope = {
            **self._scope,
            "method": method,
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": query,
            "headers": [*self._headers, (b"content-type", b"application/json"), length],
            "state": {},
        }
        parts: list[Message] = []
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            parts.append(message)

        await self._app(scope, receive, send)
        head, *rest = parts
        text = b"".join(part.get("body", b"") for part in rest)
        wait_s = dict(head["headers"]).get(b"retry-after")
        return Answered(head["status"], json.loads(text), wait_s and wait_s.decode())
