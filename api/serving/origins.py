"""Which hosts and origins may be spoken to: no web page of another site reaches the API.

A browser takes a page of any site to 127.0.0.1, either under a name that its owner points there
(the `Host` is foreign) or across origins (`Origin` and `Sec-Fetch-Site` say so).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from relayline.api import problems
from relayline.api.errors import ApiError, BadRequest
from relayline.api.serving.refusals import ForeignHost, ForeignOrigin

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
EVERY_ADDRESS = frozenset({"0.0.0.0", "[::]"})  # noqa: S104  not a name that a client needs
ANY_HOST_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Probes come by whatever address they know."""
SAFE_METHODS = frozenset({"GET", "HEAD"})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"(https?)://([^/?#@\s]+)")
_FOREIGN_SITES = frozenset({"cross-site", "same-site"})
_PORTS = {"http": "80", "https": "443"}


def is_loopback(host: str) -> bool:
    """True for an address or name that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_hosts(listed: Iterable[str], api_host: str) -> frozenset[str]:
    """Loopback's names, what is listed, and the address or name that the API listens on."""
    own = f"[{api_host}]" if ":" in api_host else api_host
    names = {name.lower() for name in (*LOOPBACK, *listed, own)}
    return frozenset(names - EVERY_ADDRESS)


class CheckOrigin:
    """ASGI middleware, the outermost: refuses requests of foreign hosts and pages.

    Args:
        app: The app behind it.
        hosts: Names that `Host` may have, without port; `*.example.com` stands for every name
            below `example.com`, `*` for every name.
        origins: Other origins whose pages may use the API.
        listed_by: Where people list them.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: frozenset[str],
        origins: frozenset[str],
        listed_by: str = "RELAYLINE_ALLOWED_ORIGINS",
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._listed_by = listed_by

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed; answer the rest with 400 or 403, before a handshake, too."""
        if scope["type"] in {"http", "websocket"} and (refused := self._refusal(scope)):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})  # answers 403
                return
            await problems.answer_to(refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ApiError | None:
        given: dict[bytes, list[str]] = {b"host": [], b"origin": [], b"sec-fetch-site": []}
        for name, value in scope["headers"]:
            if name in given:
                given[name].append(value.decode("latin-1"))
        hosts = given[b"host"]
        if not hosts and scope["http_version"] == "1.0":
            host = ""
        elif len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            return BadRequest("Host: send it once, as HOST or HOST:PORT", field="Host")
        else:
            host = hosts[0].lower()
            if scope["path"] not in ANY_HOST_PATHS and not self._is_ours(host, scope):
                return ForeignHost(
                    f"Host: {host[:200]} is not a name of this server; "
                    "RELAYLINE_ALLOWED_HOSTS lists them",
                    field="Host",
                )
        return self._foreign_page(scope, host, given[b"origin"], given[b"sec-fetch-site"])

    def _is_ours(self, host: str, scope: Scope) -> bool:
        name = _name(host)
        if name in self._hosts or "*" in self._hosts:
            return True
        local = (scope.get("server") or ("",))[0]
        if name in {local, f"[{local}]"}:  # an address can't be pointed elsewhere, as a name can
            return True
        return any(
            listed.startswith("*.") and name.endswith(listed[1:]) and name != listed[2:]
            for listed in self._hosts
        )

    def _foreign_page(
        self, scope: Scope, host: str, origins: list[str], sites: list[str]
    ) -> ApiError | None:
        if origins:
            if all(one in self._origins or _is_same(one, host) for one in origins):
                return None
            said = f"Origin: {origins[0][:200]} is not this server"
        elif scope.get("method") in SAFE_METHODS or not _FOREIGN_SITES & {*_words(sites)}:
            return None
        else:
            said = "Sec-Fetch-Site: the request comes from another site's page"
        return ForeignOrigin(f"{said}; {self._listed_by} lists those allowed")


def _words(values: Iterable[str]) -> Iterable[str]:
    """The words of a header that may have several, in several fields."""
    return (word.strip().lower() for value in values for word in value.split(","))


def _name(host: str) -> str:
    """The host without port and without the dot that may end a name."""
    found = _HOST.fullmatch(host)
    return found[1].rstrip(".") if found else ""


def _is_same(origin: str, host: str) -> bool:
    """True when the origin's host and port are those of the `Host` header.

    The scheme is not compared: a proxy in front may speak TLS.
    """
    found = _ORIGIN.fullmatch(origin.lower())
    if not found or not host:
        return False
    default = f":{_PORTS[found[1]]}"
    return found[2].removesuffix(default) == host.removesuffix(default)
