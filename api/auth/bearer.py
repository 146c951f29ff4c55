"""The one place where requests are authenticated: a middleware, before anything reads a body."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from relayline.api import problems
from relayline.api.auth.port import (
    STREAM_PREFIX,
    Authenticator,
    Authenticators,
    Forbidden,
    KeysUnavailable,
    Unauthenticated,
)
from relayline.api.errors import ApiError, UnknownRun
from relayline.contracts.principals import Principal

ACCESS = "access"
"""Where `scope["state"]` has the `Access` of an authenticated request."""
_PAGE = frozenset({"/", "/runs", "/inbox", "/agents", "/system"})
_PAGE_OF_OPERATORS = frozenset({"/schedules", "/batches", "/webhooks", "/keys", "/audit"})
OPEN_PATHS = (
    frozenset({"/healthz", "/readyz", "/v1/auth", "/docs", "/openapi.json", "/signed-in"})
    | _PAGE
    | _PAGE_OF_OPERATORS
)
"""Paths that need no credentials."""
OPEN_FOLDERS = ("/docs/", "/ui/", "/runs/", "/schedules/", "/batches/", "/webhooks/")
_STRICT_PATH = "/v1/auth"
"""The open path that tells whether a credential holds: elsewhere a bad one counts as none."""
_ONE_RUN = re.compile(r"/v1/runs/([^/]+)/(?:events|socket)")
"""Paths that a stream token opens."""
MAX_CREDENTIAL_CHARS = 16 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]+")
_BEARER = "bearer."
_SEND = "send the header Authorization: Bearer …"


@dataclass(frozen=True, slots=True)
class Access:
    """An authenticated request."""

    principal: Principal
    credential: str = field(repr=False)
    authenticator: Authenticator = field(repr=False)

    async def stands(self) -> bool:
        """False once the credential has expired or was revoked."""
        try:
            await self.authenticator.principal(self.credential)
        except (Unauthenticated, Forbidden):
            return False
        except KeysUnavailable:
            return True
        return True


class Authenticate:
    """ASGI middleware: sets `Access` in `scope["state"]`, or answers 401.

    Args:
        app: The app behind it.
        authenticators: Who checks which form of credential.
        denied: Is told of requests that are refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticators: Authenticators,
        denied: Callable[[Scope, ApiError], None] = lambda *_: None,
    ) -> None:
        self._app = app
        self._authenticators = authenticators
        self._denied = denied

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on who is authenticated, and what needs no credentials."""
        if scope["type"] in {"http", "websocket"}:
            try:
                scope.setdefault("state", {})[ACCESS] = await self._access(scope)
            except ApiError as error:
                if isinstance(error, Unauthenticated | Forbidden):
                    self._denied(scope, error)
                await problems.refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _access(self, scope: Scope) -> Access | None:
        if not is_open(scope["path"]):
            if credential := credential_of(scope):
                return await self._checked(credential, scope["path"])
            raise Unauthenticated(_SEND)
        try:
            credential = credential_of(scope)
            return await self._checked(credential, scope["path"]) if credential else None
        except ApiError:
            if scope["path"] == _STRICT_PATH:
                raise
            return None

    async def _checked(self, credential: str, path: str) -> Access:
        authenticator = self._authenticators.of(credential)
        if authenticator is None:
            raise Unauthenticated
        of_stream = credential.startswith(STREAM_PREFIX)
        run = _ONE_RUN.fullmatch(path)
        if of_stream and run is None and path != _STRICT_PATH:
            raise Unauthenticated("a stream token opens the events of its run only")
        principal = await authenticator.principal(credential)
        if of_stream and run and principal.run_id != run[1]:
            raise UnknownRun(run[1])
        return Access(principal, credential, authenticator)


def is_open(path: str) -> bool:
    """True for a path that needs no credentials."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def access_of(scope: Scope) -> Access | None:
    """Who the request was authenticated as; None if nobody asked it to."""
    found: Access | None = scope.get("state", {}).get(ACCESS)
    return found


def credential_of(scope: Scope) -> str | None:
    """The bearer token of a request; None if it has none.

    Raises:
        Unauthenticated: it has something else, more than one, or an API key in its URL.
    """
    headers = [value for name, value in scope["headers"] if name == b"authorization"]
    headers += [f"bearer {it}".encode("latin-1") for it in _of_subprotocol(scope)]
    if not headers:
        return _of_url(scope)
    scheme, _, given = headers[0].decode("latin-1").partition(" ")
    token: str = given.strip()
    if len(headers) > 1 or scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise Unauthenticated(_SEND)
    if len(token) > MAX_CREDENTIAL_CHARS:
        raise Unauthenticated
    return token


def bearer_of(scope: Scope) -> str:
    """The bearer token of a request; empty if it has none, or anything else."""
    try:
        return credential_of(scope) or ""
    except ApiError:
        return ""


def _of_subprotocol(scope: Scope) -> list[str]:
    """Tokens among the subprotocols of a WebSocket: a page's script can't send headers."""
    offered: list[str] = scope.get("subprotocols", [])
    return [it.removeprefix(_BEARER) for it in offered if it.startswith(_BEARER)]


def _of_url(scope: Scope) -> str | None:
    """The stream token in a URL, for those who can't send headers, such as `EventSource`."""
    if not _ONE_RUN.fullmatch(scope["path"]):
        return None
    query: str = scope["query_string"].decode("latin-1")
    found = parse_qs(query).get("access_token")
    if not found:
        return None
    if len(found) > 1 or not found[0].startswith(STREAM_PREFIX):
        raise Unauthenticated("access_token: a URL may have one stream token, and no other")
    return found[0]
