"""A process that works no more says so, and ends."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from relayline.dev.ports import free_port
from relayline.runtime import liveness as liveness_module
from relayline.runtime.health import MAX_HEAD_BYTES, health_served
from relayline.runtime.liveness import Liveness, Wedged
from relayline.runtime.loop_thread import LoopThread
from relayline.runtime.settings import BadSettings


@pytest.fixture
async def liveness() -> AsyncIterator[Liveness]:
    made = Liveness()
    async with made.watching():
        yield made


def metrics() -> tuple[str, bytes]:
    return "text/plain; version=1.0.0", b"tries 7\n"


async def test_health_is_told_by_status_and_reason(liveness: Liveness) -> None:
    problem: list[str | None] = [None]
    liveness.watch(lambda: problem[0])
    port = free_port()
    async with (
        health_served(liveness.problem, metrics, "127.0.0.1", port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answer = await client.get("/healthz", headers={"Host": "10.0.0.7"})
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        head = await client.head("/healthz")
        assert (head.status_code, head.content) == (200, b"")
        assert (await client.get("/other")).status_code == 404
        assert (await client.post("/healthz")).status_code == 404
        shown = await client.get("/metrics?x=1")
        assert (shown.headers["content-type"], shown.content) == metrics()
        assert (await client.post("/metrics")).status_code == 404
        problem[0] = "stuck"
        with pytest.raises(Wedged, match="stuck"):
            await liveness.until(asyncio.Event(), 1)
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()["parts"]) == (503, {"worker": "stuck"})
        assert (await client.get("/metrics")).status_code == 200


async def test_a_process_that_stops_takes_no_work(liveness: Liveness) -> None:
    stop = asyncio.Event()
    stop.set()
    assert liveness.problem() is None
    await liveness.until(stop, 1)
    assert liveness.problem() == "it stops"


async def test_health_is_told_while_the_loop_is_blocked(
    liveness: Liveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness_module, "LATE_S", 0.2)
    port = free_port()
    answers: list[int] = []

    def probe() -> None:
        time.sleep(0.5)
        answers.append(httpx.get(f"http://127.0.0.1:{port}/healthz").status_code)

    async with health_served(liveness.problem, metrics, "127.0.0.1", port):
        thread = threading.Thread(target=probe)
        thread.start()
        thread.join(10)  # this blocks the loop
    assert answers == [503]


async def test_clients_that_say_too_much_or_nothing_are_dropped(liveness: Liveness) -> None:
    port = free_port()
    async with health_served(liveness.problem, metrics, "127.0.0.1", port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * (MAX_HEAD_BYTES * 3))
        assert await _read_to_end(reader) == b""
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(32)]
        await asyncio.sleep(0.05)
        reader, one_too_many = await asyncio.open_connection("127.0.0.1", port)
        assert await _read_to_end(reader) == b""
        for each in (writer, one_too_many, *(it for _, it in silent)):
            each.close()


async def _read_to_end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadSettings, match=f"RELAYLINE_WORKER_PORT is {port}"):
            async with health_served(lambda: None, metrics, "127.0.0.1", port):
                pass


BLOCKED = """
import asyncio, re
from relayline.runtime import liveness
liveness.DEAD_S = 0.5
async def main():
    async with liveness.Liveness(ends_process=True).watching():
        await asyncio.sleep(0.1)
        re.match("(a*)*b", "a" * 40)  # holds the interpreter's lock for years
asyncio.run(main())
"""


def test_a_process_that_nothing_in_it_could_stop_ends_itself_and_says_where_it_was() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "re/__init__.py" in done.stderr


FAILING = """
import threading
from relayline.runtime.liveness import Wedged
from relayline.runtime.process import run_process
async def serve(settings):
    threading.Thread(target=threading.Event().wait).start()  # would hold up an ordinary exit
    raise {error}
run_process("worker", serve)
"""


@pytest.mark.parametrize(
    ("error", "code"), [("KeyboardInterrupt", 1), ("OSError('odd')", 1), ("Wedged('stuck')", -15)]
)
def test_a_process_that_fails_does_not_stay_half_alive(error: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING.format(error=error)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == code
    assert error.partition("(")[0] in done.stderr or code < 0


def test_a_loop_in_a_thread_survives_what_its_tasks_do_and_ends_when_it_is_closed() -> None:
    made = LoopThread("tested")

    async def interrupt() -> None:
        raise KeyboardInterrupt

    async def stop() -> None:
        asyncio.get_running_loop().stop()

    for hostile in (interrupt, stop):
        future = asyncio.run_coroutine_threadsafe(hostile(), made.loop)
        assert (future.exception(5) is None) is (hostile is stop)
    turned = threading.Event()
    made.loop.call_soon_threadsafe(turned.set)
    assert turned.wait(5)
    made.close()
    deadline = time.monotonic() + 5
    while not made.loop.is_closed() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert made.loop.is_closed()
