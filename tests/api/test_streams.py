"""Streams: everything once and in order, for whoever reads how fast or slowly."""

from __future__ import annotations

import asyncio
import random
import socket
import time

import pytest
from temporalio.client import Client

from relayline.api.streams.buffer import MAX_FRAMES
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageDelta
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.flaky import FlakyJournal
from tests.api.serving import (
    SSE,
    Api,
    completed,
    deltas,
    ended_run,
    envelopes,
    eventually,
    follow,
    run_id,
    said,
    serving,
    started,
)


async def write_live(api: Api, run: str, count: int, pause_s: float) -> None:
    """A run whose deltas come one by one."""
    for event in deltas(count):
        await api.journal.append(run, [event])
        await asyncio.sleep(pause_s)
    await api.journal.append(run, [completed()])


async def open_raw(api: Api, path: str, *, receive_buffer: int | None = None) -> socket.socket:
    """A raw connection that has asked for a stream and reads nothing yet."""
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, (api.host, api.port))
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    await loop.sock_sendall(raw, request.encode())
    return raw


async def test_a_stream_cut_at_random_points_and_resumed_is_the_journal(api: Api) -> None:
    seed = random.Random(11)  # noqa: S311
    run = run_id()
    await api.journal.append(run, [started(), said("hello")])
    writer = asyncio.create_task(write_live(api, run, 300, 0.003))
    got: list[dict[str, object]] = []
    cuts = 0
    while not got or got[-1]["type"] != "run.completed":
        got += await follow(api, run, len(got), seed.randint(1, 12))
        cuts += 1
    await writer
    assert cuts > 25
    assert got == await envelopes(api.journal, run)


async def test_an_ended_run_can_be_cut_anywhere(api: Api) -> None:
    run = await ended_run(api.journal, 30)
    whole = await envelopes(api.journal, run)
    for after in range(len(whole)):
        assert await follow(api, run, after) == whole[after:]


@pytest.mark.slow
async def test_two_hundred_viewers_each_get_everything_in_order(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started(), said("hello")])
    viewers = [asyncio.create_task(follow(api, run)) for _ in range(200)]
    await api.opened(200)
    assert api.services.feed.followed == 1
    await write_live(api, run, 50, 0.005)
    whole = await envelopes(api.journal, run)
    for viewer in viewers:
        assert await viewer == whole
    await api.quiet()


async def test_late_viewers_behind_the_buffer_read_on_from_the_journal(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started(), said("hello")])
    early = asyncio.create_task(follow(api, run))
    for _ in range(4):
        await api.journal.append(run, deltas(MAX_FRAMES // 2))
    await asyncio.sleep(0.1)
    late = asyncio.create_task(follow(api, run))
    await asyncio.sleep(0.05)
    await api.journal.append(run, [completed()])
    whole = await envelopes(api.journal, run)
    assert await early == whole
    assert await late == whole


async def test_a_slow_reader_gets_everything_and_slows_nobody(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started(), said("hello")])
    raw = await open_raw(api, f"/v1/runs/{run}/events", receive_buffer=4096)
    quick = asyncio.create_task(follow(api, run))
    big = [NewEvent(body=MessageDelta(text="x" * 2000), step=1, attempt=1) for _ in range(100)]
    for _ in range(20):
        await api.journal.append(run, big)
    await api.journal.append(run, [completed()])
    whole = await envelopes(api.journal, run)
    async with asyncio.timeout(20):
        assert await quick == whole
    await api.opened(1)  # the slow one is still there, and still behind
    received = await read_to_end(raw)
    assert [f"id: {number}\n" in received for number in (1, 1000, len(whole))] == [True] * 3
    assert received.count("\nevent: message.delta\n") == 2000
    assert received.index("id: 1999\n") < received.index("id: 2000\n")
    raw.close()


async def read_to_end(raw: socket.socket) -> str:
    """The body so far, until its last chunk, without the chunks' sizes."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    while not data.endswith(b"\r\n0\r\n\r\n"):
        piece = await loop.sock_recv(raw, 65536)
        assert piece, f"the stream broke off: {bytes(data[-80:])!r}"
        data += piece
    head, _, rest = bytes(data).partition(b"\r\n\r\n")
    assert b"200 OK" in head
    body = bytearray()
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body.decode()


async def test_a_client_that_stops_reading_is_dropped_and_resumes(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    run = run_id()
    big = [NewEvent(body=MessageDelta(text="x" * 50_000)) for _ in range(100)]
    await journal.append(run, [started(), *big])
    async with serving(Settings(send_timeout_s=0.4), journal, no_temporal) as api:
        raw = await open_raw(api, f"/v1/runs/{run}/events", receive_buffer=4096)
        begun = time.monotonic()
        await api.opened(1)
        await api.opened(0)
        assert time.monotonic() - begun >= 0.4
        await api.quiet()
        raw.close()
        assert len(await follow(api, run, 0, 101)) == 101


@pytest.mark.slow
async def test_a_slow_reader_gets_past_an_event_that_takes_it_longer_than_a_send_may_stand_still(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    run, stands_still_s, size = run_id(), 5, 4_000_000
    big = NewEvent(body=MessageDelta(text="x" * size))
    await journal.append(run, [started(), big, completed()])
    settings = Settings(send_timeout_s=stands_still_s)
    async with serving(settings, journal, no_temporal) as api:
        raw = await open_raw(api, f"/v1/runs/{run}/events", receive_buffer=65536)
        loop = asyncio.get_running_loop()
        begun, data = loop.time(), b""
        while len(data) < size:
            piece = await loop.sock_recv(raw, 50_000)
            assert piece, f"dropped after {len(data)} bytes, {loop.time() - begun:.1f} s"
            data += piece
            await asyncio.sleep(0.1)
        assert loop.time() - begun > stands_still_s
        assert await follow(api, run, 2) == (await envelopes(journal, run))[2:]
        raw.close()


async def test_a_client_that_goes_away_leaves_nothing_behind(api: Api) -> None:
    await api.quiet()
    tasks = len(asyncio.all_tasks())
    run = run_id()
    await api.journal.append(run, [started(), said("hello")])
    for path in ("events", "progress"):
        raws = [await open_raw(api, f"/v1/runs/{run}/{path}") for _ in range(20)]
        await api.opened(20)
        for raw in raws:
            raw.close()
        await api.quiet()
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
    assert "relayline_streams_open 0.0" in (await api.http.get("/metrics")).text


async def test_a_silent_stream_beats_and_says_how_to_come_back(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    run = run_id()
    await journal.append(run, [started()])
    settings = Settings(heartbeat_s=0.2)
    async with (
        serving(settings, journal, no_temporal) as api,
        api.http.stream("GET", f"/v1/runs/{run}/events", headers=SSE) as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in answer.headers
        text, begun = "", time.monotonic()
        async for piece in answer.aiter_text():
            text += piece
            if text.count(": \n\n") == 3:
                break
        assert time.monotonic() - begun < 0.2 * 3 + 2.4
        assert text.startswith("retry: 1000\n\n")
        assert text.count("retry:") == 1
        assert text.count("id:") == 1


async def test_trouble_of_the_journal_holds_the_stream_and_loses_nothing(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    flaky = FlakyJournal(journal)
    run = run_id()
    await journal.append(run, [started(), said("hello")])
    async with serving(Settings(), flaky, no_temporal) as api:
        live = asyncio.create_task(follow(api, run))
        await api.opened(1)
        await asyncio.sleep(0.05)
        flaky.go_down()
        await journal.append(run, deltas(20))
        await asyncio.sleep(0.7)
        assert not live.done()
        assert (await api.http.get(f"/v1/runs/{run}/events")).status_code == 503
        assert (await api.http.get("/readyz")).json()["parts"]["journal"] == "the disk is gone"
        flaky.come_back()
        await journal.append(run, [completed()])
        async with asyncio.timeout(10):
            assert await live == await envelopes(journal, run)


async def test_one_client_address_has_a_bounded_number_of_streams(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    run = run_id()
    await journal.append(run, [started()])
    async with serving(Settings(max_streams_per_client=3), journal, no_temporal) as api:
        raws = [await open_raw(api, f"/v1/runs/{run}/events") for _ in range(3)]
        await api.opened(3)
        refused = await api.http.get(f"/v1/runs/{run}/events", headers=SSE)
        assert refused.status_code == 429
        assert refused.json()["limit"] == 3
        assert refused.headers["retry-after"]
        assert (await api.http.get(f"/v1/runs/{run}/events")).status_code == 200
        raws.pop().close()
        await api.opened(2)
        assert len(await follow(api, run, 0, 1)) == 1
        for raw in raws:
            raw.close()


async def test_a_run_that_only_temporal_knows_holds_the_stream_open(api: Api) -> None:
    answer = await api.http.post("/v1/runs", json={"agent": "assistant", "input": "x"})
    run = answer.json()["run_id"]
    live = asyncio.create_task(follow(api, run))
    await asyncio.sleep(0.2)
    assert not live.done()
    await api.journal.append(run, [started(), completed()])
    types = [event["type"] for event in await live]
    assert types == ["run.queued", "run.started", "run.completed"]


@pytest.mark.parametrize("path", ["events", "progress"])
async def test_a_stopping_server_ends_streams_with_a_jittered_retry(
    journal: SqliteJournal, no_temporal: Client, path: str
) -> None:
    run = run_id()
    await journal.append(run, [started()])
    async with serving(Settings(), journal, no_temporal) as api:
        raws = [await open_raw(api, f"/v1/runs/{run}/{path}") for _ in range(5)]
        await api.opened(5)
        begun = time.monotonic()
    assert time.monotonic() - begun < 4
    retries = set()
    for raw in raws:
        text = await read_to_end(raw)
        last = text.rstrip().rsplit("\n", 1)[-1]
        assert last.startswith("retry: ")
        retries.add(int(last.removeprefix("retry: ")))
        raw.close()
    assert all(200 <= retry <= 2000 for retry in retries)
    assert len(retries) > 1
