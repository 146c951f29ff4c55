"""How a command is kept apart: bubblewrap where it works, else a guard alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

TERM_GRACE_S = 2.0
"""Time between SIGTERM and SIGKILL."""
_GUARD = Path(__file__).with_name("guard.py")
_PROBE_S = 10
_DROPPED = ("SYS_PTRACE", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "SYS_BOOT")
NO_BUBBLEWRAP = (
    "bubblewrap (`bwrap`) is not installed, or may not make namespaces here: a command has the "
    "worker's user, and a hostile one could signal its processes"
)


@cache
def bubblewrap() -> str | None:
    """The path of `bwrap`, None if it is missing or can't make namespaces here."""
    found = shutil.which("bwrap")
    if found is None:
        return None
    probe = (*_wrapped(found, network=False), "true")
    try:
        tried = subprocess.run(  # noqa: S603  nothing of it comes from outside
            probe, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found if tried.returncode == 0 else None


def isolated(command: tuple[str, ...], *, network: bool) -> tuple[str, ...]:
    """The command line that runs the command apart and leaves nothing of it behind.

    Send SIGTERM to the process that it starts to stop the command; it then ends within
    `TERM_GRACE_S` and what killing takes.

    Raises:
        OSError: the command may not use the network, and nothing can keep it from it.
    """
    found = bubblewrap()
    if found is None and not network:
        raise OSError(0, "RELAYLINE_COMMAND_NETWORK=0 needs bubblewrap")
    if sys.platform != "linux":
        return command
    apart = (*_wrapped(found, network=network), *command) if found else command
    kind = "bubblewrap" if found else "plain"
    guard = (sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), f"{TERM_GRACE_S:g}", kind)
    return (*guard, *apart)


def _wrapped(bwrap: str, *, network: bool) -> tuple[str, ...]:
    """The same files, but processes, and perhaps a network, of its own."""
    dropped = [part for name in _DROPPED for part in ("--cap-drop", f"CAP_{name}")]
    return (
        *(bwrap, "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc"),
        *("--unshare-pid", "--unshare-ipc", *(() if network else ("--unshare-net",))),
        *("--die-with-parent", *dropped, "--"),
    )
