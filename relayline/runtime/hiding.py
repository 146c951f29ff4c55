"""Keeps a process's secrets from other processes of the same user."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Mapping

_SET_DUMPABLE = 4
_SECRET_NAME = re.compile(r"RELAYLINE_|.*(KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|_BASE_URL)")


def hide_memory() -> None:
    """Keep processes of the same user from reading our environment and memory (Linux).

    Root reads them all the same, unless it lacks CAP_SYS_PTRACE, which commands of agents lack.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a program that needs no secret, and that can't hide its own."""
    return {
        name: value for name, value in environment.items() if not _SECRET_NAME.match(name.upper())
    }
