"""Ports: given ones are kept or refused, others are found."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from relayline.dev.options import DevError
from relayline.dev.ports import choose_ports, free_port, why_taken


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_given_port_is_kept() -> None:
    port = free_port()
    assert choose_ports({"api": port}) == {"api": port}


def test_a_given_port_that_is_taken_is_refused_by_its_option(taken: int) -> None:
    with pytest.raises(DevError, match=rf"port {taken} \(--ui-port\).*in use.*--ui-port"):
        choose_ports({"api": 0, "ui": taken})


def test_a_port_given_twice_is_refused() -> None:
    port = free_port()
    with pytest.raises(DevError, match=f"--api-port and --ui-port are both {port}"):
        choose_ports({"api": port, "ui": port})


def test_a_port_that_can_not_exist_is_refused() -> None:
    with pytest.raises(DevError, match=r"70000.*no such port"):
        choose_ports({"api": 70000})


def test_ports_that_are_not_given_are_free_and_differ() -> None:
    ports = choose_ports({"api": None, "temporal": None, "ui": None, "local": 0})
    assert len(set(ports.values())) == 4
    assert [why_taken(port) for port in ports.values()] == [None] * 4


def test_the_usual_port_is_left_to_whom_it_was_given() -> None:
    if why_taken(8233) is not None:
        pytest.skip("somebody listens on port 8233")
    ports = choose_ports({"ui": None, "temporal": 8233})
    assert ports["temporal"] == 8233
    assert ports["ui"] not in {0, 8233}


def test_the_usual_port_is_taken_when_it_is_free_and_another_when_not() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if why_taken(8233) is None:
            assert choose_ports({"ui": None}) == {"ui": 8233}
            listener.bind(("127.0.0.1", 8233))
            listener.listen()
        assert choose_ports({"ui": None})["ui"] not in {0, 8233}


def test_a_free_port_is_given_to_who_asks_for_it_and_to_nobody_who_asks_for_any() -> None:
    port = free_port()
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, option, 1)
            server.bind(("127.0.0.1", port))
            server.listen()
