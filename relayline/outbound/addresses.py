"""Network addresses that may be reached for somebody else: only public ones."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NEVER = [
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16")
]
"""Special networks that not every Python takes for such: protocol assignments, relays of 6to4,
local translation, documentation, segment routing."""
_LOOK_UPS = ThreadPoolExecutor(32, "look-up")
"""Threads of their own: a name server that does not answer holds up nobody else."""


class NoAddress(Exception):
    """The name server knows no address of the host; a retry may help."""


class NotPublic(Exception):
    """An address of the host is not public; `host` and `address` say which."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host!r} is at {address}, which is not a public address")
        self.host = host
        self.address = address


async def addresses_of(host: str, port: int) -> list[str]:
    """All addresses of the host, at least one.

    Raises:
        NoAddress: there is none.
    """
    look_up = partial(
        socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    try:
        found = await asyncio.get_running_loop().run_in_executor(_LOOK_UPS, look_up)
    except (OSError, UnicodeError) as error:
        raise NoAddress(f"no address is known for {host!r}") from error
    return list(dict.fromkeys(str(info[4][0]) for info in found))


async def reachable_addresses(host: str, port: int, allowed: Collection[str]) -> list[str]:
    """The host's addresses, all of them allowed.

    Connect to one of these, not to the name: a second look-up may return other addresses.

    Args:
        host: Name or address from the URL, without brackets.
        port: Port of the URL.
        allowed: Hosts (`name` or `name:port`) that may have any address.

    Raises:
        NoAddress: the host is unknown.
        NotPublic: one of its addresses is not public.
    """
    addresses = await addresses_of(host, port)
    if not is_listed(host, port, allowed):
        check_public(host, addresses)
    return addresses


def check_public(host: str, addresses: Iterable[str]) -> None:
    """Return if all of them are public.

    Raises:
        NotPublic: one is not.
    """
    for address in addresses:
        if not is_public(address):
            raise NotPublic(host, address)


def is_listed(host: str, port: int, allowed: Collection[str]) -> bool:
    """True if the host is one of these, by name or by name and port."""
    return host.lower() in allowed or f"{host.lower()}:{port}" in allowed


def is_public(address: str) -> bool:
    """True for a public unicast address; an address embedded in it must be public, too."""
    return all(_is_unicast(each) for each in _embedded(_parsed(address)))


def is_loopback(address: str) -> bool:
    """True for an address of this host alone."""
    return _parsed(address).is_loopback


def _parsed(address: str) -> Address:
    return ipaddress.ip_address(address.partition("%")[0])


def _is_unicast(address: Address) -> bool:
    reserved = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not (reserved or any(address in network for network in _NEVER))


def _embedded(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses that it maps or tunnels to."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
    elif address.ipv4_mapped:
        yield address.ipv4_mapped
    elif address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    elif address.is_site_local or int(address) >> 32 == 0:
        yield ipaddress.IPv4Address(0)
    else:
        yield address
        if address.sixtofour:
            yield address.sixtofour
