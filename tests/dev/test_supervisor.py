"""The children of a dev stack: their order, and what is reported of them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayline.dev.ports import free_port
from relayline.dev.supervisor import DEATHS_TO_REPORT, Supervisor
from relayline.runtime.children.child import Child, ChildSpec
from tests.dev.dev_process import until

FOREVER = ("sleep", "1000")
HEALTHY_ONCE = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).handle_request()
sys.exit(9)
"""


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


def python(name: str, code: str, *arguments: str) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code, *arguments))


def pid_of(child: Child) -> int:
    assert child.pid is not None
    return child.pid


async def test_a_killed_child_is_logged_and_its_new_pid_told(
    supervisor: _Watched, tmp_path: Path
) -> None:
    child = await supervisor.start(ChildSpec("sleeper", FOREVER))
    first = pid_of(child)
    os.kill(first, signal.SIGKILL)
    await until(lambda: "started again" in (tmp_path / "dev.log").read_text(), 10)
    assert supervisor.pids_seen == [[first], [pid_of(child)]]
    assert f"sleeper (pid {first}) ended with SIGKILL" in (tmp_path / "dev.log").read_text()


async def test_a_first_process_that_exits_with_an_error_is_a_refusal_with_its_last_words(
    supervisor: _Watched, tmp_path: Path
) -> None:
    child = await supervisor.start(
        python("broken", "import sys; print('hello'); sys.exit('no such thing')")
    )
    async with asyncio.timeout(10):
        await supervisor.refused.wait()
    assert child.starts == 1
    assert supervisor.refusal == (
        f"broken does not start, see {tmp_path / 'broken.log'}: no such thing"
    )
    assert supervisor.reports == []


async def test_a_first_process_that_was_at_work_before_it_exits_is_no_refusal(
    supervisor: _Watched,
) -> None:
    """A tool that takes its worker along must not end the whole stack."""
    port = free_port()
    command = (sys.executable, "-c", HEALTHY_ONCE, str(port))
    child = await supervisor.start(ChildSpec("worker-1", command, health_port=port))
    await until(lambda: child.starts > 1, 20)
    assert not supervisor.refused.is_set()


@pytest.mark.slow
async def test_a_later_process_that_exits_is_reported_once_and_does_not_spin(
    supervisor: _Watched, tmp_path: Path
) -> None:
    code = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).exists() and sys.exit('no more')"
    gone = tmp_path / "gone"
    child = await supervisor.start(python("broken", f"{code}; time.sleep(1000)", str(gone)))
    gone.touch()
    os.kill(pid_of(child), signal.SIGKILL)
    await until(lambda: child.exits > 3, 10)
    log = tmp_path / "broken.log"
    assert supervisor.reports == [
        f"broken ended with exit code 1 and is started again, see {log}: no more"
    ]
    began, deaths = time.monotonic(), child.exits
    await until(lambda: child.exits > deaths, 10)
    assert time.monotonic() - began > 0.3
    assert "ended with exit code 1" in (tmp_path / "dev.log").read_text()
    assert not supervisor.refused.is_set()


@pytest.mark.slow
async def test_a_child_that_is_killed_again_and_again_is_reported_once(
    supervisor: _Watched, tmp_path: Path
) -> None:
    code = "import os; print('hello', flush=True); os.kill(os.getpid(), 9)"
    child = await supervisor.start(python("broken", code))
    await until(lambda: child.quick_deaths > DEATHS_TO_REPORT + 1, 10)
    assert supervisor.reports == [
        f"broken keeps dying and is started again, see {tmp_path / 'broken.log'}: hello"
    ]


@pytest.mark.slow
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
