"""A child is kept running, and nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from relayline.runtime.children.child import Child, ChildSpec
from tests.dev.dev_process import until, until_gone
from tests.dev_stack import alive

FOREVER = ("sleep", "1000")


class Kept:
    """Children, each with a log in a folder, and what their overseer is told."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.pids_seen: list[list[int | None]] = []
        self.ends: list[int] = []
        self.notes: list[str] = []
        self._folder = folder
        self._stack = stack
        self._children: list[Child] = []

    async def start(self, spec: ChildSpec) -> Child:
        child = Child(spec, self, self._folder / f"{spec.name}.log")
        self._children.append(child)
        self._stack.push_async_callback(child.kill)
        await child.start()
        return child

    def changed(self) -> None:
        self.pids_seen.append([child.pid for child in self._children])

    def ended(self, child: Child, code: int) -> None:
        self.ends.append(code)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    async with AsyncExitStack() as stack:
        yield Kept(tmp_path, stack)


def python(name: str, code: str, *arguments: str, stop_s: float = 5) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code, *arguments), stop_s=stop_s)


def pid_of(child: Child) -> int:
    assert child.pid is not None
    return child.pid


def log_of(child: Child) -> Path:
    assert child.log is not None
    return child.log


async def test_a_killed_child_is_back_within_a_second_with_a_new_pid(kept: Kept) -> None:
    child = await kept.start(ChildSpec("sleeper", FOREVER))
    pids, took_s = [pid_of(child)], []
    for _ in range(3):
        killed_at = time.monotonic()
        os.kill(pids[-1], signal.SIGKILL)
        await until(lambda: len(kept.pids_seen) > len(pids), 10)
        took_s.append(time.monotonic() - killed_at)
        pids.append(pid_of(child))
        assert alive(pids[-1])
    assert min(took_s) < 1, "a busy machine may delay some of them"
    assert kept.pids_seen == [[pid] for pid in pids]
    assert kept.ends == [-signal.SIGKILL] * 3
    await until(lambda: str(kept.notes).count("started again") == 3, 5)
    for pid in pids[:-1]:
        assert f"sleeper (pid {pid}) ended with SIGKILL" in kept.notes


@pytest.mark.slow
async def test_a_child_that_keeps_dying_does_not_spin(kept: Kept) -> None:
    child = await kept.start(python("broken", "import sys; sys.exit('no such thing')"))
    await until(lambda: child.quick_deaths > 3, 10)
    began, deaths = time.monotonic(), child.quick_deaths
    await until(lambda: child.quick_deaths > deaths, 10)
    assert time.monotonic() - began > 0.3


async def test_a_program_that_is_not_there_is_a_child_that_dies(kept: Kept) -> None:
    child = await kept.start(ChildSpec("absent", ("/nonexistent/program",)))
    await until(lambda: child.quick_deaths > 0, 10)
    said = child.last_log_line()
    assert "/nonexistent/program" in log_of(child).read_text() or "No such file" in said


async def test_stop_lets_a_child_finish(kept: Kept, tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys, time\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "print('up', flush=True)\n"
        "signal.sigwait({signal.SIGTERM}); time.sleep(0.2)\n"
        "pathlib.Path(sys.argv[1]).touch()"
    )
    child = await kept.start(python("tidy", code, str(tmp_path / "tidied")))
    await until(lambda: child.last_log_line() == "up", 10)
    await child.stop()
    assert (tmp_path / "tidied").exists()
    assert not alive(pid_of(child))


async def test_stop_kills_a_stubborn_child_and_its_whole_group(kept: Kept) -> None:
    code = (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen(['sleep', '1000']).pid, flush=True)\n"
        "signal.pause()"
    )
    child = await kept.start(python("stubborn", code, stop_s=0.3))
    await until(lambda: child.last_log_line() != "", 10)
    grandchild = int(child.last_log_line())
    assert alive(grandchild)
    began = time.monotonic()
    await child.stop()
    assert 0.25 < time.monotonic() - began < 5
    await until_gone([pid_of(child), grandchild], 5)


async def test_what_a_dead_child_leaves_in_its_group_is_killed(kept: Kept) -> None:
    code = (
        "import signal, subprocess\n"
        "print(subprocess.Popen(['sleep', '1000']).pid, flush=True)\n"
        "signal.pause()"
    )
    child = await kept.start(python("parent", code))
    await until(lambda: child.last_log_line() != "", 10)
    grandchild = int(child.last_log_line())
    os.kill(pid_of(child), signal.SIGKILL)
    await until_gone([grandchild], 5)


async def test_a_log_is_emptied_at_the_start_and_kept_over_a_restart(
    kept: Kept, tmp_path: Path
) -> None:
    (tmp_path / "talker.log").write_text("of yesterday\n")
    code = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    child = await kept.start(python("talker", code))
    first = pid_of(child)
    await until(lambda: child.last_log_line() == str(first), 10)
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.last_log_line() not in {"", str(first)}, 10)
    assert log_of(child).read_text().split() == [str(first), str(child.pid)]


async def test_a_child_comes_back_when_its_log_can_be_written_again(kept: Kept) -> None:
    child = await kept.start(ChildSpec("sleeper", FOREVER))
    first = pid_of(child)
    log_of(child).unlink()
    log_of(child).mkdir()
    os.kill(first, signal.SIGKILL)
    await until(lambda: "can't be started again" in str(kept.notes), 5)
    log_of(child).rmdir()
    await until(lambda: child.pid != first, 10)
    assert alive(pid_of(child))


async def test_a_child_that_is_stopped_while_it_waits_for_its_restart_stays_away(
    kept: Kept,
) -> None:
    child = await kept.start(python("broken", "raise SystemExit(1)"))
    await until(lambda: child.quick_deaths == 3, 10)
    await child.stop()
    last, seen = child.pid, len(kept.pids_seen)
    await child.stop()
    assert (child.pid, len(kept.pids_seen)) == (last, seen)
    assert not alive(pid_of(child))
