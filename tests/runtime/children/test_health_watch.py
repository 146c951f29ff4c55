"""A child that still runs but does not work is replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from relayline.dev.ports import free_port
from relayline.dev.supervisor import Supervisor
from relayline.runtime.children import health_watch as health
from relayline.runtime.children.child import Child, ChildSpec
from tests.dev.dev_process import until

SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if Path(sys.argv[2]).exists() else 200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "EVERY_S", 0.05)
    monkeypatch.setattr(health, "ANSWER_S", 0.5)
    monkeypatch.setattr(health, "PATIENCE_S", 0.5)


class Watched:
    """A server under a health watch."""

    def __init__(self, folder: Path, code: str = SERVER) -> None:
        self.ill = folder / "ill"
        self.log = folder / "dev.log"
        self._supervisor = Supervisor(folder, lambda: None, lambda _: None)
        self._port = free_port()
        command = (sys.executable, "-c", code, str(self._port), str(self.ill))
        self._spec = ChildSpec("server", command)
        self.child: Child

    async def __aenter__(self) -> Watched:
        self.child = await self._supervisor.start(self._spec)
        watch = health.HealthWatch(self.child, self._port)
        self._task = asyncio.create_task(watch.run())
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await asyncio.sleep(0.3)  # it is seen to be healthy
                return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await self._supervisor.kill()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["says so", "is stopped"])
async def test_a_child_that_does_not_work_is_replaced(tmp_path: Path, how: str) -> None:
    async with Watched(tmp_path) as watched:
        first = watched.child.pid
        assert first is not None
        if how == "says so":
            watched.ill.touch()
        else:
            os.kill(first, signal.SIGSTOP)
        await until(lambda: watched.child.pid != first, 10)
        watched.ill.unlink(missing_ok=True)
        log = watched.log.read_text()
        assert f"server (pid {first}) did not work for" in log
        second = watched.child.pid
        await asyncio.sleep(1)  # it takes longer to start than a healthy one may be silent
        assert watched.child.pid == second


async def test_a_child_that_is_ill_for_a_moment_is_left_alone(tmp_path: Path) -> None:
    async with Watched(tmp_path) as watched:
        first = watched.child.pid
        for _ in range(3):
            watched.ill.touch()
            await asyncio.sleep(0.2)
            watched.ill.unlink()
            await asyncio.sleep(0.2)
        assert watched.child.pid == first


async def test_a_child_that_never_comes_to_work_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "START_S", 0.5)
    supervisor = Supervisor(tmp_path, lambda: None, lambda _: None)
    spec = ChildSpec("hanging", ("sleep", "1000"), health_port=free_port())
    child = await supervisor.start(spec)
    first = child.pid
    try:
        await until(lambda: child.pid != first, 10)
    finally:
        await supervisor.kill()
