"""`relayline api --workers 2`: two processes on one address, as one server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from relayline.dev.ports import free_port
from tests.api.serving import SSE
from tests.dev_stack import ROOT, alive
from tests.selection import starting

STREAMS = 24
BOUND_S = 120
"""How long what comes is waited for: a busy machine takes many seconds to start three processes."""
ANSWER_S = 5
"""Nobody answers a connection that waits for longer."""
pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]
RELAYLINE = str(Path(sys.executable).with_name("relayline"))


class Pair:
    """A parent with two children."""

    def __init__(self, process: asyncio.subprocess.Process, http: httpx.AsyncClient) -> None:
        self.process = process
        self.http = http

    @property
    def children(self) -> list[int]:
        """The pids of the parent's children."""
        pid = self.process.pid
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]

    async def metric(self, name: str) -> float:
        """A number out of `/metrics`, of whichever process answers."""
        text = (await self.http.get("/metrics")).text
        [found] = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found)

    async def both_serve(self) -> None:
        """Wait until both listen, and each of many new connections is answered soon."""
        async with asyncio.timeout(BOUND_S):
            while self.listening < 2 or not await self.all_answer():
                await asyncio.sleep(0.05)

    @property
    def listening(self) -> int:
        """Sockets that listen at the address."""
        ours, listen = f":{self.http.base_url.port:04X}", "0A"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        return sum(row[1].endswith(ours) and row[3] == listen for row in rows)

    async def all_answer(self) -> bool:
        """Whether each of many new connections is answered soon."""
        try:
            for _ in range(12):
                await self.http.get("/healthz", timeout=ANSWER_S)
        except httpx.TransportError:
            return False
        return True


@asynccontextmanager
async def pair(data_dir: Path, temporal: str, **settings: str) -> AsyncIterator[Pair]:
    starting()
    port = free_port()
    env = {
        "RELAYLINE_DATA_DIR": str(data_dir),
        "RELAYLINE_API_PORT": str(port),
        "TMPDIR": str(data_dir.parent),  # what a killed parent leaves there
        "TEMPORAL_ADDRESS": temporal,
        **settings,
    }
    command = (RELAYLINE, "api", "--workers", "2")
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | env, cwd=ROOT)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=BOUND_S, limits=limits) as http:
            served = Pair(process, http)
            await served.both_serve()
            yield served
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Reading:
    """A stream that is being read."""

    def __init__(self, answer: httpx.Response) -> None:
        self.lines: list[str] = []
        self.broken = False
        self.task = asyncio.create_task(self._read(answer))

    async def _read(self, answer: httpx.Response) -> None:
        try:
            async for line in answer.aiter_lines():
                self.lines.append(line)
        except httpx.TransportError:
            self.broken = True


@asynccontextmanager
async def streams(served: Pair, run: str) -> AsyncIterator[list[Reading]]:
    async with AsyncExitStack() as stack:
        path = f"/v1/runs/{run}/events"
        opened = [
            await stack.enter_async_context(served.http.stream("GET", path, headers=SSE))
            for _ in range(STREAMS)
        ]
        readings = [Reading(answer) for answer in opened]
        yield readings
        for reading in readings:
            reading.task.cancel()
        await asyncio.gather(*(reading.task for reading in readings), return_exceptions=True)


async def submitted(served: Pair) -> str:
    answer = await served.http.post("/v1/runs", json={"agent": "assistant", "input": "hello"})
    assert answer.status_code == 202, answer.text
    run: str = answer.json()["run_id"]
    return run


def address(client: Client) -> str:
    return client.service_client.config.target_host


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(BOUND_S):
        while any(map(alive, pids)):
            await asyncio.sleep(0.01)


async def test_two_processes_are_one_server_of_which_one_may_die(
    api_temporal: Client, tmp_path: Path
) -> None:
    async with pair(tmp_path, address(api_temporal)) as served:
        async with streams(served, await submitted(served)) as readings:
            assert await served.metric("relayline_streams_open") == STREAMS
            assert await served.metric("relayline_runs_submitted_total") == 1
            killed, other = served.children
            os.kill(killed, signal.SIGKILL)
            async with asyncio.timeout(BOUND_S):
                while killed in served.children or len(served.children) < 2:
                    await asyncio.sleep(0.01)
            await served.both_serve()
            cut = sum(reading.broken for reading in readings)
            assert 0 < cut < STREAMS, "one process had all of them"
            assert await served.metric("relayline_streams_open") == STREAMS - cut
            assert await served.metric("relayline_runs_submitted_total") == 1
            pids = served.children
            assert other in pids
            served.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(BOUND_S):
                assert await served.process.wait() == 0
            assert not any(map(alive, pids))
            await asyncio.gather(*(reading.task for reading in readings))
        assert sum(reading.broken for reading in readings) == cut
        whole = [reading.lines for reading in readings if not reading.broken]
        waits = {int(lines[-2].removeprefix("retry: ")) for lines in whole}
        assert len(waits) > 1, "they would all come back at once"
        assert 200 <= min(waits) <= max(waits) <= 2000


async def listening(served: Pair, count: int) -> None:
    """Wait until so many sockets listen at the address."""
    async with asyncio.timeout(BOUND_S):
        while served.listening != count:
            await asyncio.sleep(0.01)


async def test_no_connection_is_taken_in_while_the_processes_finish_what_they_have(
    tmp_path: Path,
) -> None:
    async with pair(tmp_path, "127.0.0.1:1") as served:
        port = served.http.base_url.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.closing(writer):
            head = "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2"
            kind = "Content-Type: application/json\r\nExpect: 100-continue"
            writer.write(f"{head}\r\n{kind}\r\n\r\n{{".encode())
            await reader.readuntil(b"100 Continue\r\n\r\n")
            served.process.send_signal(signal.SIGTERM)
            await listening(served, 0)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"}")
            assert (await reader.readline()).startswith(b"HTTP/1.1 422 ")
        assert await served.process.wait() == 0


async def test_while_a_process_can_not_start_the_others_get_its_connections(
    tmp_path: Path,
) -> None:
    keys, data = tmp_path / "keys", tmp_path / "data"
    keys.write_text(f"id1:{b64encode(os.urandom(32)).decode()}")
    async with pair(data, "127.0.0.1:1", RELAYLINE_PAYLOAD_KEYS_FILE=str(keys)) as served:
        keys.rename(tmp_path / "away")
        os.kill(served.children[0], signal.SIGKILL)
        await listening(served, 1)
        assert await served.all_answer()
        (tmp_path / "away").rename(keys)
        await served.both_serve()


async def test_nothing_is_left_of_a_parent_that_was_killed(tmp_path: Path) -> None:
    async with pair(tmp_path, "127.0.0.1:1") as served:
        pids = served.children
        served.process.kill()
        await until_gone(pids)


async def refused(data_dir: Path, port: int, **settings: str) -> str:
    """What a parent that can't start says."""
    env = {
        "RELAYLINE_DATA_DIR": str(data_dir),
        "RELAYLINE_API_PORT": str(port),
        "RELAYLINE_API_WORKERS": "2",
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        RELAYLINE, "api", env=os.environ | env, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    assert process.returncode == 1
    return told.decode()


async def test_a_process_that_can_not_start_ends_the_parent_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    told = await refused(tmp_path / "file", free_port())
    assert re.fullmatch(r"relayline api: the journal's folder [^\n]+\n", told)


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "with SO_REUSEPORT"])
async def test_an_address_in_use_is_said_in_one_line(tmp_path: Path, *, shared: bool) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = await refused(tmp_path, taken.getsockname()[1])
    assert re.fullmatch(
        r"relayline api: can't listen on [^\n]+ \(Address already in use\)[^\n]+\n", told
    )
