"""The URL of a webhook's receiver, checked: what may be reached, and at which addresses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relayline.outbound.addresses import (
    NotPublic,
    addresses_of,
    check_public,
    is_listed,
    is_loopback,
)

if TYPE_CHECKING:
    import httpx

HTTPS_PORT = 443
_PORTS = {"http": 80, "https": HTTPS_PORT}
ALLOW_SETTING = "RELAYLINE_WEBHOOK_ALLOW"


class BadReceiver(Exception):
    """The URL is not one of a receiver; the message says why and never quotes its path."""


class Forbidden(BadReceiver):
    """The URL leads to an address or a port that no receiver may have."""


@dataclass(frozen=True)
class Rules:
    """Which receivers may be reached."""

    allowed: Collection[str] = field(default_factory=frozenset)
    """Hosts (`name` or `name:port`) that may have private addresses, and that port."""
    loopback: bool = False
    """True: this host may be reached, also by http and at any port; for `relayline dev`."""


@dataclass(frozen=True)
class Place:
    """Where a receiver is."""

    url: httpx.URL
    host: str
    """Name or address, without brackets."""
    port: int
    secure: bool


def place_of(url: str) -> Place:
    """Read a receiver's URL, without asking anybody.

    Raises:
        BadReceiver: it is not an http or https URL with a host, or has a user name or a fragment.
    """
    import httpx  # noqa: PLC0415  most processes never read a URL

    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii").strip("[]").rstrip(".")
        netloc = parsed.netloc.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise BadReceiver("it is not a URL") from error
    if parsed.scheme not in _PORTS or not host or not netloc:
        raise BadReceiver("it must be an https URL with a host")
    if parsed.userinfo:
        raise BadReceiver("a URL with a user name or password is not allowed")
    if parsed.fragment:
        raise BadReceiver("a URL with a fragment (#…) is not allowed")
    secure = parsed.scheme == "https"
    return Place(parsed, host, parsed.port or _PORTS[parsed.scheme], secure)


async def checked_addresses(place: Place, rules: Rules) -> list[str]:
    """The addresses of the receiver, all of which it may have. Connect to one of these only.

    Raises:
        NoAddress: the host is unknown; a retry may help.
        Forbidden: the scheme, the port or one of the addresses is not allowed.
    """
    if not (place.secure or rules.loopback):
        raise Forbidden("it must be https")
    found = await addresses_of(place.host, place.port)
    if rules.loopback and all(map(is_loopback, found)):
        return found
    if not place.secure:
        raise Forbidden("it must be https, unless it is on this host")
    if is_listed(place.host, place.port, rules.allowed):
        return found
    try:
        check_public(place.host, found)
    except NotPublic as error:
        listed = f"an operator can list the host in {ALLOW_SETTING}"
        raise Forbidden(f"{error}; {listed}") from error
    if place.port != HTTPS_PORT:
        raise Forbidden(
            f"port {place.port} is not {HTTPS_PORT}; an operator can list "
            f"{place.host}:{place.port} in {ALLOW_SETTING}"
        )
    return found
