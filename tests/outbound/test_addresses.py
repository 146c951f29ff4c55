"""Which addresses are public."""

from __future__ import annotations

import pytest

from relayline.outbound.addresses import NoAddress, NotPublic, is_public, reachable_addresses

NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104  asked about, not bound
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.2.1",
    "192.0.0.8",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2002:c058:6301::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "64:ff9b:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_private_local_reserved_and_multicast_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)
def test_unicast_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "::1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0"]
)
async def test_every_way_to_write_loopback_is_refused(host: str) -> None:
    with pytest.raises(NotPublic):
        await reachable_addresses(host, 80, ())


@pytest.mark.parametrize("listed", ["localhost", "localhost:80"])
async def test_a_listed_host_is_reached_whatever_its_case(listed: str) -> None:
    assert "127.0.0.1" in await reachable_addresses("LocalHost", 80, {listed})


async def test_a_host_listed_with_another_port_is_refused() -> None:
    with pytest.raises(NotPublic):
        await reachable_addresses("localhost", 81, {"localhost:80"})


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".example"])
async def test_an_unknown_host_is_named(host: str) -> None:
    with pytest.raises(NoAddress, match=host):
        await reachable_addresses(host, 80, ())


async def test_a_public_address_is_reached_without_being_listed() -> None:
    assert await reachable_addresses("1.1.1.1", 443, ()) == ["1.1.1.1"]
