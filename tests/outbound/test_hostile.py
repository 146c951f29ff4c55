"""Whatever a URL or a name server says, nothing private is reached."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import suppress
from typing import Any

import pytest

from relayline.outbound.receiver import BadReceiver, Rules, place_of
from relayline.outbound.sender import Reply, Sender
from tests.outbound.hostile import PUBLIC, Case, cases
from tests.webhooks.receiving import receiving

HERE = Rules(loopback=True)
QUICK, ALL = 400, 10_000


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address to which a connection was attempted; none is made."""
    found: list[str] = []

    async def create_connection(_loop: Any, _make: Any, host: str, *_: Any, **__: Any) -> Any:
        found.append(host)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", create_connection)
    monkeypatch.setattr(socket.socket, "connect", lambda _self, to: found.append(to[0]))
    return found


async def attempted(case: Case, monkeypatch: pytest.MonkeyPatch) -> Reply | BadReceiver:
    """What came of a delivery to that URL, with that name server."""

    def look_up(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        addresses = case.resolved
        with suppress(ValueError):  # a name
            addresses = (str(ipaddress.ip_address(host)),)
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        place = place_of(case.url)
    except BadReceiver as error:
        return error
    return await Sender(Rules()).send(place, {}, b"{}")


async def none_is_reached(
    seed: int, count: int, reached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in cases(seed, count):
        outcome = await attempted(case, monkeypatch)
        assert isinstance(outcome, BadReceiver) or outcome.status is None, case
        assert not reached, f"{case} reached {reached}"


async def test_nothing_private_is_reached(
    reached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await none_is_reached(1, QUICK, reached, monkeypatch)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(10))
async def test_nothing_private_is_reached_in_ten_thousand_cases(
    reached: list[str], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await none_is_reached(seed + 2, ALL // 10, reached, monkeypatch)


async def test_a_public_address_is_what_is_connected_to(
    reached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = await attempted(Case("https://public.test/hook", (PUBLIC,)), monkeypatch)
    assert isinstance(outcome, Reply)
    assert outcome.status is None
    assert set(reached) == {PUBLIC}, "the address that was checked, not the name"


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing(
    reached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        address = PUBLIC if len(asked) == 1 else "127.0.0.1"
        return [(0, 0, 0, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    await Sender(Rules()).send(place_of("https://rebinds.test/"), {}, b"{}")
    assert (asked, set(reached)) == (["rebinds.test"], {PUBLIC})


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        reply = await Sender(HERE).send(place_of(receiver.url), {}, b"{}")
    assert reply.status == 200
    assert not proxy.connections


@pytest.mark.parametrize(
    ("rules", "url", "allowed"),
    [
        (Rules(frozenset({"localhost:8443"})), "https://localhost:8443/", True),
        (Rules(frozenset({"localhost:8443"})), "https://localhost:9443/", False),
        (Rules(frozenset({"localhost:8443"})), "http://localhost:8443/", False),
        (Rules(), "https://localhost/", False),
        (HERE, "http://localhost:1/", True),
        (HERE, "http://93.184.215.14/", False),
        (HERE, "http://10.0.0.1/", False),
    ],
)
async def test_an_operator_says_what_else_may_be_reached(
    reached: list[str], rules: Rules, url: str, allowed: bool
) -> None:
    await Sender(rules).send(place_of(url), {}, b"{}")
    assert bool(reached) == allowed
