"""What processes have used: processor time and memory, as /proc tells it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Used(NamedTuple):
    """Processor seconds, user and system, to the tick (a hundredth of a second)."""

    own_s: float
    """Of the process, all its threads."""
    ended_s: float
    """Of its children that have ended and were waited for, and of theirs."""


def parse_stat(line: str) -> Used:
    """What a line of `/proc/PID/stat` says; the name in it may have spaces and parentheses."""
    fields = line.rpartition(")")[2].split()
    user, system, ended_user, ended_system = map(int, fields[11:15])
    return Used((user + system) * _TICK_S, (ended_user + ended_system) * _TICK_S)


def cpu_s(pid: int) -> float:
    """Processor seconds that the process has used.

    Raises:
        OSError: there is no such process.
    """
    return parse_stat(Path(f"/proc/{pid}/stat").read_text()).own_s


def tree_cpu_s(pid: int) -> float:
    """The same of the process and all that descend from it, also of those that have ended.

    Raises:
        OSError: there is no such process.
    """
    running = 0.0
    for child in children(pid):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            running += tree_cpu_s(child)
    return running + sum(parse_stat(Path(f"/proc/{pid}/stat").read_text()))


def children(pid: int) -> list[int]:
    """Processes that any thread of this one has started and that are still there."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended meanwhile
            found += map(int, (thread / "children").read_text().split())
    return found


def of_kinds(pids: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Processor seconds so far by kind of process, everybody's descendants included."""
    return {kind: sum(map(tree_cpu_s, of_kind)) for kind, of_kind in pids.items()}


def more(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What was used in between, by kind of process."""
    return {kind: seconds - before[kind] for kind, seconds in after.items()}


def rss_mb(pid: int) -> float:
    """Resident memory of the process in MB (10⁶ bytes)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(kib) * 1024 / 1e6
