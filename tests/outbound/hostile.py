"""URLs, names and answers of receivers that mean no good: drawn from a seed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

PRIVATE = (
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254"),  # noqa: S104
    *("172.16.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1"),
    *("2001:db8::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2002:7f00:1::", "2002:a00:1::"),
    *("2002:c0a8:101::", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "::7f00:1"),
)
NETWORKS = [
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4"),
        *("240.0.0.0/4", "fc00::/7", "fe80::/10", "ff00::/8", "::ffff:10.0.0.0/104"),
    )
]
PUBLIC = "93.184.215.14"
_SCHEMES = ("http", "https", "HTTPS", "ftp", "file", "gopher", "javascript", "")
_DRESSED = ("", "user@", "user:secret@", "93.184.215.14@", "%00@")


class Case(NamedTuple):
    """A URL, and the addresses that its host resolves to, if it is a name."""

    url: str
    resolved: tuple[str, ...]


def cases(seed: int, count: int) -> Iterator[Case]:
    """That many; none of them may be reached."""
    random = Random(seed)  # noqa: S311
    for _ in range(count):
        yield random.choice(_MAKERS)(random)


def _private(random: Random) -> str:
    if random.random() < 0.5:
        return random.choice(PRIVATE)
    network = random.choice(NETWORKS)
    return str(network[random.randrange(min(network.num_addresses, 2**64))])


def _written(random: Random, address: str) -> str:
    """The address in one of the ways that resolvers take."""
    parsed = ipaddress.ip_address(address)
    if parsed.version == 6:
        return f"[{random.choice([parsed.compressed, parsed.exploded])}]"
    number, parts = int(parsed), address.split(".")
    return random.choice(
        [
            address,
            str(number),
            hex(number),
            ".".join(f"{int(part):#o}".replace("0o", "0") for part in parts),
            ".".join(hex(int(part)) for part in parts),
            f"{parts[0]}.{number & 0xFFFFFF}",
            f"{address}.",
            f"[::ffff:{address}]",
        ]
    )


def _literal(random: Random) -> Case:
    address = _private(random)
    port = random.choice(["", ":443", ":80", ":22", ":8000", ":7233", ":5432"])
    return Case(f"https://{_written(random, address)}{port}/hook", (address,))


def _named(random: Random) -> Case:
    """One private address among public ones is enough."""
    found = [PUBLIC] * random.randrange(3) + [_private(random)]
    random.shuffle(found)
    return Case(f"https://name-{random.randrange(10**6)}.test/hook", tuple(found))


def _odd_port(random: Random) -> Case:
    port = random.choice([p for p in range(1, 65536, 97) if p != 443])
    return Case(f"https://public.test:{port}/", (PUBLIC,))


def _odd_url(random: Random) -> Case:
    scheme, dress = random.choice(_SCHEMES), random.choice(_DRESSED)
    tail = random.choice(["", "/", "/#x", "?x=1", "/%0d%0aHost:%20x", "/\\..\\", "/@127.0.0.1"])
    host = random.choice([_written(random, _private(random)), "", ".", "..", "%31%32%37.0.0.1"])
    return Case(f"{scheme}://{dress}{host}{tail}", (_private(random),))


def _odd_name(random: Random) -> Case:
    wide = "".join(chr(0xFF10 + int(digit)) for digit in "127") + ".0.0.1"
    names = ["localhost", "LOCALHOST.", "ip6-localhost", "xn--localhost-", wide, "127\u30020.0.1"]
    return Case(f"https://{random.choice(names)}/", (random.choice(["127.0.0.1", "::1"]),))


_MAKERS = (_literal, _named, _odd_port, _odd_url, _odd_name)
