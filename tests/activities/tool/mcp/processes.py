"""What Linux says of processes."""

from __future__ import annotations

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """False for one that only waits to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def below(pid: int) -> list[int]:
    """The living processes below this one."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        found = [int(it) for task in tasks for it in (task / "children").read_text().split()]
    except OSError:
        return []
    return [it for child in found if alive(child) for it in (child, *below(child))]


def ours(argument: str) -> list[int]:
    """The processes below the tests' own that have this among their arguments."""
    return [it for it in below(os.getpid()) if argument in command(it)]


def command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def memory() -> int:
    """The most memory that this process has had, in bytes, since `forget_peak`."""
    [line] = [it for it in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in it]
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")
