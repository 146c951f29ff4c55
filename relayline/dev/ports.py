"""Ports on loopback: given, usual, or free ones."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from relayline.dev.options import DevError

HOST = "127.0.0.1"
_USUAL = {"api": 8000, "temporal": 7233, "ui": 8233, "codec": 8234}


def choose_ports(given: Mapping[str, int | None]) -> dict[str, int]:
    """A port for each name, all different and free a moment ago.

    Args:
        given: The wanted number; None for the usual one, or a free one if that is taken; 0 for a
            free one.

    Raises:
        DevError: a given port can't be used, or was given twice.
    """
    chosen: dict[str, int] = {}
    for name, port in given.items():
        if port:
            _check(name, port, chosen)
            chosen[name] = port
    for name, port in given.items():
        if not port:
            usual = _USUAL.get(name, 0) if port is None else 0
            taken = usual in chosen.values() or why_taken(usual) is not None
            chosen[name] = free_port() if taken or not usual else usual
    return chosen


def free_port() -> int:
    """A port that nobody listens on, and that Linux gives to nobody else for a minute.

    Linux remembers for that long a connection that its server closed first, and gives the port to
    no one who asks for any free port. A server can still bind this very port with SO_REUSEADDR or
    SO_REUSEPORT, as servers do.
    """
    with socket.socket() as listener:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            listener.setsockopt(socket.SOL_SOCKET, option, 1)
        listener.bind((HOST, 0))
        listener.listen(1)
        port: int = listener.getsockname()[1]
        with socket.create_connection((HOST, port)) as client:
            listener.accept()[0].close()
            client.recv(1)  # waits for the end, so that the server closes first
    return port


def why_taken(port: int) -> str | None:
    """Why no server can listen on the port, None if one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.strerror or str(error)
        except OverflowError:
            return "there is no such port"
    return None


def _check(name: str, port: int, chosen: Mapping[str, int]) -> None:
    for other, other_port in chosen.items():
        if port == other_port:
            raise DevError(
                f"--{other}-port and --{name}-port are both {port}: choose different ones"
            )
    reason = why_taken(port)
    if reason is not None:
        raise DevError(
            f"port {port} (--{name}-port) can't be used: {reason}; stop what uses it, or choose "
            f"another --{name}-port"
        )
