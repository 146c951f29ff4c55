"""Runs one command, and leaves no descendant of it behind. Run as a script, without Relayline.

    python -I -S guard.py PARENT GRACE_S plain|bubblewrap PROGRAM ARGUMENT…

Linux only. The guard adopts every orphan of the command. When the command ends, when the guard gets
SIGTERM, or when the process PARENT dies, it kills all of them, and then ends as the command did.
`plain`: the command can't inspect other processes, not even as root, and gains no privileges.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from typing import NoReturn

_PDEATHSIG, _CHILD_SUBREAPER, _CAPBSET_DROP, _NO_NEW_PRIVS = 1, 36, 24, 38
_DROPPED = (2, 16, 17, 19, 21, 38, 39, 40)
"""DAC_READ_SEARCH SYS_MODULE SYS_RAWIO SYS_PTRACE SYS_ADMIN PERFMON BPF CHECKPOINT_RESTORE."""
_LIMITS = (
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_NOFILE, 4096),
    (resource.RLIMIT_NPROC, 8192),
    (resource.RLIMIT_FSIZE, 8 << 30),
)
"""No core dumps; open files, processes of the user, and bytes of one file."""
_KILL_BOUND_S = 5.0
_LOOK_S = 0.02

_WATCHED = (signal.SIGTERM, signal.SIGCHLD)
"""Blocked, so that none is missed between two looks."""

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def main() -> NoReturn:
    """Run the command of `sys.argv`."""
    parent, grace_s, isolation, *command = sys.argv[1:]
    _prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    _prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    status = 128 + signal.SIGTERM
    if os.getppid() == int(parent):
        status = _run(command, float(grace_s), plain=isolation == "plain")
    _end_as(status)


def _run(command: list[str], grace_s: float, *, plain: bool) -> int:
    """The wait status of the command; all its descendants are gone."""
    child = os.fork()
    if child == 0:
        _become(command, plain=plain)
    ended = status = 0
    while not ended:
        if signal.sigwait(_WATCHED) == signal.SIGTERM:
            status = _stopped(child, grace_s)
            break
        ended, status = os.waitpid(child, os.WNOHANG)
    _kill_all()
    return status


def _become(command: list[str], *, plain: bool) -> NoReturn:
    """Replace this process by the command."""
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for what, most in _LIMITS:
            hard = resource.getrlimit(what)[1]
            bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (bound, bound))
        if plain:
            for capability in _DROPPED:
                _prctl(_CAPBSET_DROP, capability, 0, 0, 0)
            _prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        os.execvp(command[0], command)  # noqa: S606  a person has approved this command
    except OSError as error:
        os.write(2, f"{command[0]} can't be run: {error.strerror}\n".encode())
    os._exit(127)


def _stopped(child: int, grace_s: float) -> int:
    """Ask the command's group to end; its wait status, also if it had to be killed."""
    _signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(_LOOK_S)
    _signal_group(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _kill_all() -> None:
    """Kill every descendant: orphans become our children, so there are none when we have none."""
    deadline = time.monotonic() + _KILL_BOUND_S
    while time.monotonic() < deadline:
        for pid in _children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_LOOK_S / 10)


def _children() -> list[int]:
    """Our children, by the parent in each `/proc/PID/stat`."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    parent = stat.read().rpartition(b")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == os.getpid():
                found.append(int(name))
    return found


def _signal_group(child: int, number: signal.Signals) -> None:
    try:
        os.killpg(child, number)
    except ProcessLookupError:
        return


def _end_as(status: int) -> NoReturn:
    """End as a process with that wait status did."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
