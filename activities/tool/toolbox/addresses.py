"""Network addresses that `fetch_url` may reach: only public ones."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Iterator

from relayline.catalog.tools import ToolError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def reachable_addresses(host: str, port: int, allowed: Collection[str]) -> list[str]:
    """The host's addresses, all of them allowed.

    Connect to one of these, not to the name: a second look-up may return other addresses.

    Args:
        host: Name or address from the URL, without brackets.
        port: Port of the URL.
        allowed: Hosts (`name` or `name:port`) that may have any address.

    Raises:
        ToolError: the host is unknown, or one of its addresses is not public.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, UnicodeError) as error:
        raise ToolError(f"no address is known for {host!r}") from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    if host.lower() in allowed or f"{host.lower()}:{port}" in allowed:
        return addresses
    for address in addresses:
        if not is_public(address):
            raise ToolError(
                f"{host!r} is at {address}, which is not a public address; an operator can list "
                "the host in RELAYLINE_FETCH_ALLOW",
                retryable=False,
            )
    return addresses


def is_public(address: str) -> bool:
    """True for a public unicast address; an address embedded in it must be public, too."""
    return all(
        each.is_global and not (each.is_multicast or each.is_reserved or each.is_unspecified)
        for each in _embedded(ipaddress.ip_address(address.partition("%")[0]))
    )


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
