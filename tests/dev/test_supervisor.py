"""Children are kept running, and none is left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayline.dev.supervisor import DEATHS_TO_REPORT, Supervisor
from relayline.runtime.children.child import Child, ChildSpec
from tests.dev.dev_process import until, until_gone
from tests.dev_stack import alive

FOREVER = ("sleep", "1000")


class _Watched(Supervisor):
    """A supervisor that remembers what it said."""

    def __init__(self, folder: Path) -> None:
        self.pids_seen: list[list[int | None]] = []
        self.reports: list[str] = []
        super().__init__(folder, self._remember, self.reports.append)

    def _remember(self) -> None:
        self.pids_seen.append([child.pid for child in self.children])


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[_Watched]:
    watched = _Watched(tmp_path)
    yield watched
    await watched.kill()


def python(name: str, code: str, *arguments: str, stop_s: float = 5) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code, *arguments), stop_s=stop_s)


def pid_of(child: Child) -> int:
    assert child.pid is not None
    return child.pid


def log_of(child: Child) -> Path:
    assert child.log is not None
    return child.log


async def test_a_killed_child_is_back_within_a_second_with_a_new_pid(
    supervisor: _Watched, tmp_path: Path
) -> None:
    child = await supervisor.start(ChildSpec("sleeper", FOREVER))
    pids, took_s = [pid_of(child)], []
    for _ in range(3):
        killed_at = time.monotonic()
        os.kill(pids[-1], signal.SIGKILL)
        await until(lambda: len(supervisor.pids_seen) > len(pids), 10)
        took_s.append(time.monotonic() - killed_at)
        pids.append(pid_of(child))
        assert alive(pids[-1])
    assert min(took_s) < 1, "a busy machine may delay some of them"
    assert supervisor.pids_seen == [[pid] for pid in pids]
    await until(lambda: (tmp_path / "dev.log").read_text().count("started again") == 3, 5)
    for pid in pids[:-1]:
        assert f"sleeper (pid {pid}) ended with SIGKILL" in (tmp_path / "dev.log").read_text()


async def test_a_child_that_keeps_dying_is_reported_once_and_does_not_spin(
    supervisor: _Watched, tmp_path: Path
) -> None:
    child = await supervisor.start(
        python("broken", "import sys; print('hello'); sys.exit('no such thing')")
    )
    await until(lambda: child.quick_deaths > DEATHS_TO_REPORT + 1, 10)
    assert supervisor.reports == [
        f"broken keeps dying, see {tmp_path / 'broken.log'}: no such thing"
    ]
    began, deaths = time.monotonic(), child.quick_deaths
    await until(lambda: child.quick_deaths > deaths, 10)
    assert time.monotonic() - began > 0.3
    assert "ended with exit code 1" in (tmp_path / "dev.log").read_text()


async def test_a_program_that_is_not_there_is_a_child_that_dies(supervisor: _Watched) -> None:
    child = await supervisor.start(ChildSpec("absent", ("/nonexistent/program",)))
    await until(lambda: child.quick_deaths > 0, 10)
    assert (
        "/nonexistent/program" in log_of(child).read_text()
        or "No such file" in child.last_log_line()
    )


async def test_stop_lets_a_child_finish(supervisor: _Watched, tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys, time\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "print('up', flush=True)\n"
        "signal.sigwait({signal.SIGTERM}); time.sleep(0.2)\n"
        "pathlib.Path(sys.argv[1]).touch()"
    )
    child = await supervisor.start(python("tidy", code, str(tmp_path / "tidied")))
    await until(lambda: child.last_log_line() == "up", 10)
    await supervisor.stop()
    assert (tmp_path / "tidied").exists()
    assert not alive(pid_of(child))


async def test_stop_kills_a_stubborn_child_and_its_whole_group(supervisor: _Watched) -> None:
    code = (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen(['sleep', '1000']).pid, flush=True)\n"
        "signal.pause()"
    )
    child = await supervisor.start(python("stubborn", code, stop_s=0.3))
    await until(lambda: child.last_log_line() != "", 10)
    grandchild = int(child.last_log_line())
    assert alive(grandchild)
    began = time.monotonic()
    await supervisor.stop()
    assert 0.25 < time.monotonic() - began < 5
    await until_gone([pid_of(child), grandchild], 5)


async def test_what_a_dead_child_leaves_in_its_group_is_killed(supervisor: _Watched) -> None:
    code = (
        "import signal, subprocess\n"
        "print(subprocess.Popen(['sleep', '1000']).pid, flush=True)\n"
        "signal.pause()"
    )
    child = await supervisor.start(python("parent", code))
    await until(lambda: child.last_log_line() != "", 10)
    grandchild = int(child.last_log_line())
    os.kill(pid_of(child), signal.SIGKILL)
    await until_gone([grandchild], 5)


async def test_children_are_stopped_newest_first_and_one_kind_together(
    supervisor: _Watched, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "print('up', flush=True)\n"
        "signal.sigwait({signal.SIGTERM})\n"
        "open(sys.argv[1], 'a').write(f'{sys.argv[2]} told\\n'); time.sleep(1)\n"
        "open(sys.argv[1], 'a').write(f'{sys.argv[2]} ended\\n')"
    )
    for name in ("server", "worker-1", "worker-2"):
        await supervisor.start(python(name, code, str(order), name.partition("-")[0]))
    await until(lambda: all(child.last_log_line() == "up" for child in supervisor.children), 15)
    await supervisor.stop()
    assert order.read_text().splitlines() == [
        *("worker told", "worker told", "worker ended", "worker ended"),
        *("server told", "server ended"),
    ]


async def test_a_log_is_emptied_at_the_start_and_kept_over_a_restart(
    supervisor: _Watched, tmp_path: Path
) -> None:
    (tmp_path / "talker.log").write_text("of yesterday\n")
    code = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    child = await supervisor.start(python("talker", code))
    first = pid_of(child)
    await until(lambda: child.last_log_line() == str(first), 10)
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.last_log_line() not in {"", str(first)}, 10)
    assert log_of(child).read_text().split() == [str(first), str(child.pid)]


async def test_a_child_comes_back_when_its_log_can_be_written_again(
    supervisor: _Watched, tmp_path: Path
) -> None:
    child = await supervisor.start(ChildSpec("sleeper", FOREVER))
    first = pid_of(child)
    log_of(child).unlink()
    log_of(child).mkdir()
    os.kill(first, signal.SIGKILL)
    await until(lambda: "can't be started again" in (tmp_path / "dev.log").read_text(), 5)
    log_of(child).rmdir()
    await until(lambda: child.pid != first, 10)
    assert alive(pid_of(child))


async def test_the_fate_of_a_child_is_told_when_it_can_not_be_written_down(
    supervisor: _Watched, tmp_path: Path
) -> None:
    child = await supervisor.start(ChildSpec("sleeper", FOREVER))
    first = pid_of(child)
    (tmp_path / "dev.log").unlink()
    (tmp_path / "dev.log").mkdir()
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid != first, 10)
    assert f"sleeper (pid {first}) ended with SIGKILL" in supervisor.reports[0]
    assert "can't be written" in supervisor.reports[0]


async def test_a_child_that_is_stopped_while_it_waits_for_its_restart_stays_away(
    supervisor: _Watched,
) -> None:
    child = await supervisor.start(python("broken", "raise SystemExit(1)"))
    await until(lambda: child.quick_deaths == DEATHS_TO_REPORT, 10)
    await supervisor.stop()
    last, seen = child.pid, len(supervisor.pids_seen)
    await supervisor.stop()
    assert (child.pid, len(supervisor.pids_seen)) == (last, seen)
    assert not alive(pid_of(child))
