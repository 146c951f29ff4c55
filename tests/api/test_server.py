"""The process: health, metrics, the OpenAPI document, starting and stopping."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from relayline.dev.ports import free_port
from relayline.journal.postgres.migrate import migrate
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.process import opened_journal
from relayline.runtime.settings import Settings
from tests.api.flaky import FlakyJournal
from tests.api.serving import Api, deltas, follow, run_id, serving, started
from tests.postgres_server import PostgresServer


async def spawn(data_dir: Path, port: int, **env: str) -> asyncio.subprocess.Process:
    """`python -m relayline.api.app` with a Temporal that is not there."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "relayline.api.app",
        env={
            **os.environ,
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
            "RELAYLINE_API_PORT": str(port),
            "RELAYLINE_DATA_DIR": str(data_dir),
            **env,
        },
        cwd=Path(__file__).parents[2],
        stderr=asyncio.subprocess.PIPE,
    )


async def answering(port: int, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(60):
        while True:
            assert process.returncode is None
            try:
                await http.get(f"http://127.0.0.1:{port}/healthz")
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
            else:
                return


@pytest.mark.slow
async def test_sigterm_with_open_streams_ends_them_cleanly_and_soon(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    run = run_id()
    await journal.append(run, [started(), *deltas(3)])
    await journal.close()
    port = free_port()
    process = await spawn(tmp_path, port)
    try:
        await answering(port, process)
        streams = []
        for _ in range(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            request = f"GET /v1/runs/{run}/events HTTP/1.1\r\nHost: localhost\r\n"
            writer.write(f"{request}Accept: text/event-stream\r\n\r\n".encode())
            await reader.readuntil(b"id: 4\n")
            streams.append((reader, writer))
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        for reader, writer in streams:
            rest = (await reader.read()).decode()
            assert rest.endswith("\r\n0\r\n\r\n"), "the chunked body has its end"
            assert "retry: " in rest
            writer.close()
        async with asyncio.timeout(5):
            code = await process.wait()
        assert time.monotonic() - begun < 4, "it does not wait for its grace to end"
        assert code == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.slow
async def test_an_idle_connection_is_kept_for_longer_than_clients_keep_theirs(api: Api) -> None:
    """httpx, for one, keeps them for 5 s: with the same here, some requests met a closed one."""
    reader, writer = await asyncio.open_connection(api.host, api.port)
    for pause_s in (5.2, 0):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        await asyncio.sleep(pause_s)
    writer.close()


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["port", "data_dir"])
async def test_a_server_that_cannot_start_says_why_and_exits_1(
    tmp_path: Path, trouble: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1] if trouble == "port" else free_port()
        file = tmp_path / "file"
        file.touch()
        data_dir = file / "below" if trouble == "data_dir" else tmp_path
        process = await spawn(data_dir, port)
        async with asyncio.timeout(60):
            _, error = await process.communicate()
    assert process.returncode == 1
    line = error.decode().strip().splitlines()[-1]
    assert line.startswith("relayline api: ")
    named = {"port": str(port), "data_dir": str(data_dir)}
    assert named[trouble] in line
    assert "Traceback" not in error.decode()


async def test_agents_are_listed_by_name(api: Api) -> None:
    agents = (await api.http.get("/v1/agents")).json()["agents"]
    assert [agent["name"] for agent in agents] == ["assistant", "brief", "choosy"]
    assert agents[1]["limits"]["max_steps"] == 3


async def test_readiness_says_which_part_is_missing(api: Api, lonely_api: Api) -> None:
    ready = (await api.http.get("/readyz")).json()
    assert ready["status"] == "ok"
    assert ready["parts"] == {"journal": "ok", "temporal": "ok", "namespace": "ok"}
    answer = await lonely_api.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["journal"] == "ok"
    assert "Temporal" in answer.json()["parts"]["temporal"]
    assert (await lonely_api.http.get("/healthz")).status_code == 200


@pytest.mark.slow
async def test_readiness_says_why_postgres_can_not_be_written(no_temporal: Client) -> None:
    with PostgresServer() as server:
        dsn = server.create_database("ours")
        await migrate(dsn)
        async with (
            opened_journal(Settings(journal=dsn)) as journal,
            serving(Settings(), journal, no_temporal) as api,
        ):
            await asyncio.to_thread(server.stop)
            gone = (await api.http.get("/readyz")).json()["parts"]["journal"]
            assert "Connect call failed" in gone
            assert "is it running" in gone
            await asyncio.to_thread(server.start)
            assert (await api.http.get("/readyz")).json()["parts"]["journal"] == "ok"


async def test_metrics_count_what_was_served(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started(), *deltas(2)])

    async def delivered() -> float:
        text = (await api.http.get("/metrics")).text
        [line] = [
            row for row in text.splitlines() if row.startswith("relayline_events_delivered_t")
        ]
        return float(line.split()[1])

    before = await delivered()
    assert len(await follow(api, run, 0, 3)) == 3
    await api.quiet()
    assert await delivered() == before + 3
    text = (await api.http.get("/metrics")).text
    route = 'method="GET",route="/v1/runs/{run_id}/events",status="200"'
    assert f"relayline_http_requests_total{{{route}}}" in text
    assert "relayline_event_lag_seconds_bucket" in text


async def test_an_unhandled_error_is_counted_and_a_problem_without_internals(
    journal: SqliteJournal, no_temporal: Client, caplog: pytest.LogCaptureFixture
) -> None:
    broken = FlakyJournal(journal)
    broken.go_down(KeyError("secret"))
    async with serving(Settings(), broken, no_temporal) as api:
        answer = await api.http.get(f"/v1/runs/{run_id()}/events")
        counted = (await api.http.get("/metrics")).text
    assert answer.status_code == 500
    labels = 'method="GET",route="/v1/runs/{run_id}/events",status="500"'
    assert f"relayline_http_requests_total{{{labels}}} 1.0" in counted
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "unhandled error" in caplog.text
