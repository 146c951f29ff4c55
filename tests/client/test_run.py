"""A run: waiting for its end, starting it with its stream, leaving its stream early."""

from __future__ import annotations

import asyncio
import time

import pytest

from relayline.client import (
    ApiError,
    NotFound,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    WaitTimeout,
)
from relayline.contracts.runs import RunStatus
from relayline.dev.ports import free_port
from tests.client.both import Caller
from tests.client.stand_in import RUN, Live, Refuse, Send, StandIn
from tests.client.test_stream import speak


async def test_waiting_ends_with_the_run(stand_in: StandIn, both: Caller) -> None:
    stand_in.run = {"status": "running"}
    async with both.open(stand_in.url) as client:
        waiting = asyncio.create_task(both.call(client.run(RUN).wait))
        while not stand_in.requests:
            await asyncio.sleep(0.005)
        stand_in.run = {"status": "failed"}
        view = await waiting
    assert view.status is RunStatus.FAILED
    assert {request[1] for request in stand_in.requests} == {f"/v1/runs/{RUN}?wait=30.0"}
    assert len(stand_in.requests) <= 2, "an early answer is no reason to ask at once"


async def test_waiting_ends_when_the_time_is_over(stand_in: StandIn, both: Caller) -> None:
    stand_in.run = {"status": "running"}
    async with both.open(stand_in.url) as client:
        with pytest.raises(TimeoutError, match=rf"{RUN} has not ended in 0\.3 s") as caught:
            await both.call(client.run(RUN).wait, 0.3)
        assert isinstance(caught.value, WaitTimeout)
        with pytest.raises(WaitTimeout):
            await both.call(client.run(RUN).wait, timeout_s=0)
    assert stand_in.requests[-1][1] == f"/v1/runs/{RUN}"


@pytest.mark.slow
async def test_waiting_survives_a_server_that_is_away(stand_in: StandIn, both: Caller) -> None:
    port = free_port()
    async with both.open(f"http://127.0.0.1:{port}") as client:
        waiting = asyncio.create_task(both.call(client.run(RUN).wait))
        await asyncio.sleep(0.1)
        stand_in.problem = Refuse(503)
        async with stand_in.serving(port):
            while not stand_in.requests:
                await asyncio.sleep(0.005)
            stand_in.problem = None
            assert (await waiting).status is RunStatus.COMPLETED


async def test_waiting_gives_up_where_trying_again_cannot_help(
    stand_in: StandIn, both: Caller
) -> None:
    stand_in.problem = Refuse(404, "unknown-run", "no run")
    async with both.open(stand_in.url) as client:
        with pytest.raises(NotFound):
            await both.call(client.run(RUN).wait)


async def test_patience_ends_waits_and_streams(stand_in: StandIn, both: Caller) -> None:
    began = time.monotonic()
    async with both.open("http://127.0.0.1:1", patience_s=0) as client:
        run = client.run(RUN)
        with pytest.raises(Unreachable):
            await both.call(run.wait)
        with pytest.raises(Unreachable):
            [event async for event in both.items(run.stream())]
    stand_in.answers.append(Refuse(503, detail="no journal"))
    with pytest.raises(Unavailable, match="no journal"):
        await both.follow(stand_in, patience_s=0)
    assert time.monotonic() - began < 10


async def test_a_run_is_started_and_streamed_in_one_request(
    stand_in: StandIn, both: Caller
) -> None:
    speak(stand_in, words=3)
    stand_in.answers.append(Send(limit=400, cut=True))
    async with both.open(stand_in.url) as client:
        stream = await both.call(client.submit_and_stream, "assistant", "hi", idempotency_key="k")
        got = [event.seq async for event in both.items(stream)]
    assert got == [1, 2, 3, 4, 5]
    assert stream.run.id == RUN
    assert (stream.status, stream.output, stream.cursor) == (RunStatus.COMPLETED, "done", 5)
    [(method, path, headers, body)] = stand_in.requests
    assert (method, path, body) == ("POST", "/v1/runs", {"agent": "assistant", "input": "hi"})
    assert (headers["accept"], headers["idempotency-key"]) == ("text/event-stream", "k")
    assert stand_in.cursors in (["1"], ["2"], ["3"]), "it is resumed, not submitted again"


async def test_a_submission_that_fails_gives_no_stream(stand_in: StandIn, both: Caller) -> None:
    async with both.open("http://127.0.0.1:1") as client:
        with pytest.raises(Unreachable):
            await both.call(client.submit_and_stream, "assistant", "hi")
    async with both.open(stand_in.url) as client:
        stand_in.problem = Refuse(422, "invalid-field", "agent: no such agent")
        with pytest.raises(ApiError, match="no such agent"):
            await both.call(client.submit_and_stream, "nobody", "hi")
        stand_in.problem = Refuse(200)
        with pytest.raises(UnexpectedAnswer, match="without the id of the run"):
            await both.call(client.submit_and_stream, "assistant", "hi")


async def test_a_stream_that_is_left_early_is_closed(stand_in: StandIn, both: Caller) -> None:
    stand_in.add("run.started", agent="assistant", model="rehearsal")
    stand_in.answers += [Live(), Live()]
    async with both.open(stand_in.url) as client:
        stream = client.run(RUN).stream()
        async for event in both.items(stream):
            assert event.seq == 1
            break
        await both.close(stream)
        assert [event async for event in both.items(stream)] == []
        assert not stream.ended
        unread = await both.call(client.submit_and_stream, "assistant", "hi")
        await both.close(unread)
