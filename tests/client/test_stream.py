"""A stream over real HTTP: it survives whatever happens to its connections."""

from __future__ import annotations

import asyncio
import json
import random
import time

import pytest
from starlette.responses import PlainTextResponse

from relayline.client import (
    AsyncClient,
    Client,
    Event,
    Expired,
    Retry,
    UnexpectedAnswer,
    WorkerUnavailable,
)
from relayline.client.backoff import MAX_WAIT_S
from relayline.contracts.events import MessageDelta, RunCompleted
from relayline.dev.ports import free_port
from tests.client.both import Caller
from tests.client.stand_in import HEARTBEAT, Refuse, Send, StandIn

CUTS = 200


def speak(stand_in: StandIn, words: int = 40) -> None:
    """A whole run that says some words, with characters of several bytes."""
    stand_in.add("run.started", agent="assistant", model="rehearsal")
    for number in range(words):
        stand_in.add("message.delta", 1, 1, text=f"wörd\u2028{number} ☃ ")
    stand_in.add("run.completed", output="done")


def seqs(got: list[Event]) -> list[int]:
    return [event.seq for event in got]


@pytest.mark.slow
async def test_a_stream_cut_at_two_hundred_places_gives_every_event_once(
    stand_in: StandIn, both: Caller
) -> None:
    seed = random.Random(20261123)  # noqa: S311
    speak(stand_in, words=300)
    for _ in range(CUTS):
        stand_in.answers.append(
            Send(limit=seed.randint(0, 500), cut=seed.random() < 0.7, chunk=seed.randint(1, 90))
        )
    whole = list(range(1, 303))
    got, retries = await both.follow(stand_in)
    assert seqs(got) == whole
    assert len(retries) == CUTS
    assert [json.loads(event.raw) for event in got] == stand_in.events
    assert [event.data for event in got] == [event["data"] for event in stand_in.events]


async def test_it_resumes_from_the_last_whole_event(stand_in: StandIn, both: Caller) -> None:
    stand_in.add("message.delta", 1, 1, text="one")
    stand_in.add("message.delta", 1, 1, text="two")
    stand_in.add("run.completed")
    stand_in.answers.append(Send(limit=-150, cut=True))
    got, _ = await both.follow(stand_in)
    assert seqs(got) == [1, 2, 3]
    assert stand_in.cursors[0] is None
    assert stand_in.cursors[1] in {"1", "2"}


@pytest.mark.slow
async def test_it_ends_after_the_terminal_event_without_asking_again(
    stand_in: StandIn, both: Caller
) -> None:
    speak(stand_in)
    stand_in.answers.append(Send(hang_s=10))
    got, retries = await both.follow(stand_in)
    assert got[-1].type == "run.completed"
    assert (stand_in.cursors, retries) == ([None], [])


async def test_a_stream_from_the_middle_sends_its_cursor(stand_in: StandIn, both: Caller) -> None:
    speak(stand_in, words=5)
    got, _ = await both.follow(stand_in, after=4)
    assert seqs(got) == [5, 6, 7]
    assert stand_in.cursors == ["4"]


async def test_it_ends_on_204(stand_in: StandIn, both: Caller) -> None:
    speak(stand_in, words=1)
    assert await both.follow(stand_in, after=3) == ([], [])


async def test_an_end_without_a_terminal_event_is_a_reason_to_reconnect(
    stand_in: StandIn, both: Caller
) -> None:
    stand_in.add("message.delta", 1, 1, text="one")
    stand_in.answers += [Send(), Send()]
    following = asyncio.create_task(both.follow(stand_in))
    while len(stand_in.cursors) < 2:
        await asyncio.sleep(0.005)
    stand_in.add("run.completed")
    got, retries = await following
    assert seqs(got) == [1, 2]
    assert retries[0].reason == "the server closed the stream"


async def test_events_sent_again_are_not_given_out_again(stand_in: StandIn, both: Caller) -> None:
    speak(stand_in, words=5)
    stand_in.answers += [Send(limit=500, cut=True), Send(from_start=True)]
    got, _ = await both.follow(stand_in)
    assert seqs(got) == list(range(1, 8))


async def test_heartbeats_and_events_that_are_not_journaled_are_skipped(
    stand_in: StandIn, both: Caller
) -> None:
    speak(stand_in, words=1)
    stray = b'event: mood.changed\ndata: {"type": "mood.changed"}\n\n'
    stand_in.answers.append(Send(preamble=HEARTBEAT + stray + HEARTBEAT))
    got, retries = await both.follow(stand_in)
    assert seqs(got) == [1, 2, 3]
    assert not retries


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"data": {"reason": "no worker answers"}}', "no worker answers"),
        ('{"type": "worker.unavailable"}', "the server does not say why"),
        ("nonsense", "the server does not say why"),
    ],
)
async def test_that_nobody_works_is_told_and_the_connection_stays(
    stand_in: StandIn, both: Caller, data: str, reason: str
) -> None:
    speak(stand_in, words=1)
    notice = f"event: worker.unavailable\ndata: {data}\n\n".encode()
    stand_in.answers.append(Send(preamble=notice))
    got, retries = await both.follow(stand_in)
    assert seqs(got) == [0, 1, 2, 3]
    assert (got[0].type, got[0].is_notice) == ("worker.unavailable", True)
    assert got[0].body == WorkerUnavailable(reason=reason)
    assert not retries


async def test_a_silent_connection_is_replaced(stand_in: StandIn, both: Caller) -> None:
    speak(stand_in, words=3)
    stand_in.answers.append(Send(limit=300, hang_s=10))
    got, retries = await both.follow(stand_in, silence_s=0.2)
    assert seqs(got) == [1, 2, 3, 4, 5]
    assert len(retries) == 1


async def test_a_refusal_that_trying_again_cannot_help_ends_it_with_its_words(
    stand_in: StandIn, both: Caller
) -> None:
    detail = "no run 'run_x'"
    stand_in.answers += [Send(limit=40), Refuse(410, "cursor-expired", detail)]
    speak(stand_in, words=1)
    with pytest.raises(Expired, match=detail) as caught:
        await both.follow(stand_in)
    assert (caught.value.status, caught.value.type) == (410, "cursor-expired")


@pytest.mark.slow
async def test_after_503_and_429_it_waits_as_long_as_it_is_told(
    stand_in: StandIn, both: Caller
) -> None:
    speak(stand_in, words=1)
    later = {"Retry-After": "1"}
    stand_in.answers += [Refuse(503, headers=later), Refuse(429, "too-many-streams", "64 open")]
    began = time.monotonic()
    got, retries = await both.follow(stand_in)
    assert seqs(got) == [1, 2, 3]
    assert time.monotonic() - began >= 1
    assert [retry.reason for retry in retries] == ["not now", "64 open"]
    assert retries[0].wait_s >= 1


async def test_waits_double_with_each_failure_are_jittered_and_bounded(
    stand_in: StandIn, both: Caller
) -> None:
    speak(stand_in, words=1)
    stand_in.answers.append(Send(limit=12, preamble=b"retry: 20\n\n"))
    stand_in.answers += [Refuse(500)] * 3
    _, retries = await both.follow(stand_in)
    waits = [retry.wait_s for retry in retries]
    for number, wait_s in enumerate(waits):
        assert 0.010 * 2**number <= wait_s <= 0.020 * 2**number
    assert all(wait_s <= MAX_WAIT_S for wait_s in waits)


@pytest.mark.slow
async def test_it_waits_for_a_server_that_is_not_there_yet(stand_in: StandIn, both: Caller) -> None:
    speak(stand_in, words=1)
    port = free_port()
    stand_in.url = f"http://127.0.0.1:{port}"
    retries: list[Retry] = []
    following = asyncio.create_task(both.follow(stand_in, retries=retries))
    async with asyncio.timeout(60):
        while not retries:
            await asyncio.sleep(0.01)
    async with stand_in.serving(port):
        got, _ = await following
    assert seqs(got) == [1, 2, 3]


async def test_an_answer_that_is_no_event_stream_ends_it(stand_in: StandIn, both: Caller) -> None:
    stand_in.answers.append(PlainTextResponse("hello"))
    with pytest.raises(UnexpectedAnswer, match="is that a Relayline API"):
        await both.follow(stand_in)


async def test_bodies_are_typed_and_what_is_not_known_stays_raw(
    stand_in: StandIn, both: Caller
) -> None:
    stand_in.add("message.delta", 1, 1, text="hi")
    stand_in.add("mood.changed", mood="good")
    stand_in.add("message.delta", 1, 1, text=["of", "a", "later", "version"])
    stand_in.add("run.completed", output="done")
    got, _ = await both.follow(stand_in)
    assert [event.body for event in got[:3]] == [MessageDelta(text="hi"), None, None]
    assert isinstance(got[3].body, RunCompleted)
    assert got[1].data == {"mood": "good"}
    assert (got[0].step, got[0].attempt) == (1, 1)


async def test_a_frame_that_holds_no_event_ends_it(stand_in: StandIn, both: Caller) -> None:
    stand_in.answers.append(Send(preamble=b"id: 1\nevent: run.started\ndata: [1]\n\n"))
    with pytest.raises(UnexpectedAnswer, match=r"with an event that is none: run\.started"):
        await both.follow(stand_in)


def test_the_clients_and_their_streams_close_with_their_blocks() -> None:
    async def asynchronous() -> None:
        async with AsyncClient() as client, client.run("run_x").stream() as stream:
            assert not stream.ended

    with Client() as client, client.run("run_x").stream() as stream:
        assert iter(stream) is stream
    with pytest.raises(RuntimeError, match="has been closed"):
        client.run("run_x").get()
    asyncio.run(asynchronous())
