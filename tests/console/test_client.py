"""The client over real HTTP: calls, problems, and a stream that survives whatever happens to it."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, Response

from relayline.client.client import ApiClient
from relayline.client.errors import ApiError
from relayline.client.stream import MAX_WAIT_S, Interruption
from relayline.contracts.commands import Cancel
from relayline.contracts.runs import RunStatus
from relayline.dev.ports import free_port
from tests.console.stand_in import HEARTBEAT, RUN, Refuse, Send, StandIn

CUTS = 200


def speak(stand_in: StandIn, words: int = 40) -> None:
    """A whole run that says some words, with characters of several bytes."""
    stand_in.add("run.started", agent="assistant", model="rehearsal")
    for number in range(words):
        stand_in.add("message.delta", 1, 1, text=f"wörd\u2028{number} ☃ ")
    stand_in.add("run.completed", output="done")


async def follow(
    stand_in: StandIn, after: int = 0, silence_s: float = 20
) -> tuple[list[dict[str, Any]], list[Interruption]]:
    interruptions: list[Interruption] = []
    async with ApiClient(stand_in.url, silence_s=silence_s) as client:
        frames = client.frames(RUN, after=after, on_interruption=interruptions.append)
        got = [frame._asdict() async for frame in frames]
    return got, interruptions


def seqs(got: list[dict[str, Any]]) -> list[int]:
    return [int(frame["id"]) for frame in got]


async def test_a_stream_cut_at_two_hundred_places_gives_every_event_once(
    stand_in: StandIn,
) -> None:
    seed = random.Random(20261123)  # noqa: S311
    speak(stand_in, words=300)
    for _ in range(CUTS):
        stand_in.answers.append(
            Send(limit=seed.randint(0, 500), cut=seed.random() < 0.7, chunk=seed.randint(1, 90))
        )
    whole = list(range(1, 303))
    got, interruptions = await follow(stand_in)
    assert seqs(got) == whole
    assert len(interruptions) == CUTS
    async with ApiClient(stand_in.url) as client:
        envelopes = [envelope async for envelope in client.stream(RUN)]
    assert [envelope.model_dump(mode="json")["data"] for envelope in envelopes] == [
        event["data"] for event in stand_in.events
    ]


async def test_it_resumes_from_the_last_whole_event(stand_in: StandIn) -> None:
    stand_in.add("message.delta", 1, 1, text="one")
    stand_in.add("message.delta", 1, 1, text="two")
    stand_in.add("run.completed")
    stand_in.answers.append(Send(limit=-150, cut=True))
    got, _ = await follow(stand_in)
    assert seqs(got) == [1, 2, 3]
    assert stand_in.cursors[0] is None
    assert stand_in.cursors[1] in {"1", "2"}


async def test_it_ends_after_the_terminal_event_without_asking_again(stand_in: StandIn) -> None:
    speak(stand_in)
    stand_in.answers.append(Send(hang_s=10))
    got, interruptions = await follow(stand_in)
    assert got[-1]["event"] == "run.completed"
    assert (stand_in.cursors, interruptions) == ([None], [])


async def test_a_stream_from_the_middle_sends_its_cursor(stand_in: StandIn) -> None:
    speak(stand_in, words=5)
    got, _ = await follow(stand_in, after=4)
    assert seqs(got) == [5, 6, 7]
    assert stand_in.cursors == ["4"]


async def test_it_ends_on_204(stand_in: StandIn) -> None:
    speak(stand_in, words=1)
    assert await follow(stand_in, after=3) == ([], [])


async def test_an_end_without_a_terminal_event_is_a_reason_to_reconnect(
    stand_in: StandIn,
) -> None:
    stand_in.add("message.delta", 1, 1, text="one")
    stand_in.answers += [Send(), Send()]
    following = asyncio.create_task(follow(stand_in))
    while len(stand_in.cursors) < 2:
        await asyncio.sleep(0.005)
    stand_in.add("run.completed")
    got, interruptions = await following
    assert seqs(got) == [1, 2]
    assert interruptions[0].reason == "the server closed the stream"


async def test_events_sent_again_are_not_given_out_again(stand_in: StandIn) -> None:
    speak(stand_in, words=5)
    stand_in.answers += [Send(limit=500, cut=True), Send(from_start=True)]
    got, _ = await follow(stand_in)
    assert seqs(got) == list(range(1, 8))


async def test_heartbeats_and_events_that_are_not_journaled_are_skipped(
    stand_in: StandIn,
) -> None:
    speak(stand_in, words=1)
    stray = b'event: mood.changed\ndata: {"type": "mood.changed"}\n\n'
    stand_in.answers.append(Send(preamble=HEARTBEAT + stray + HEARTBEAT))
    got, interruptions = await follow(stand_in)
    assert seqs(got) == [1, 2, 3]
    assert not interruptions


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"data": {"reason": "no worker answers"}}', "no worker answers"),
        ('{"type": "worker.unavailable"}', "the server does not say why"),
        ("nonsense", "the server does not say why"),
    ],
)
async def test_that_nobody_works_is_told_and_the_connection_stays(
    stand_in: StandIn, data: str, reason: str
) -> None:
    speak(stand_in, words=1)
    notice = f"event: worker.unavailable\ndata: {data}\n\n".encode()
    stand_in.answers.append(Send(preamble=notice))
    got, interruptions = await follow(stand_in)
    assert seqs(got) == [1, 2, 3]
    assert interruptions == [Interruption(reason, 0, connected=True)]


async def test_a_silent_connection_is_given_up_and_opened_anew(stand_in: StandIn) -> None:
    speak(stand_in, words=3)
    stand_in.answers.append(Send(limit=300, hang_s=10))
    got, interruptions = await follow(stand_in, silence_s=0.2)
    assert seqs(got) == [1, 2, 3, 4, 5]
    assert len(interruptions) == 1


async def test_a_refusal_that_trying_again_cannot_help_ends_it_with_its_words(
    stand_in: StandIn,
) -> None:
    detail = "no run 'run_x'"
    stand_in.answers += [Send(limit=40), Refuse(410, "cursor-expired", detail)]
    speak(stand_in, words=1)
    with pytest.raises(ApiError, match=detail) as caught:
        await follow(stand_in)
    assert (caught.value.status, caught.value.kind) == (410, "cursor-expired")


async def test_after_503_and_429_it_waits_as_long_as_it_is_told(stand_in: StandIn) -> None:
    speak(stand_in, words=1)
    later = {"Retry-After": "1"}
    stand_in.answers += [Refuse(503, headers=later), Refuse(429, "too-many-streams", "64 open")]
    began = time.monotonic()
    got, interruptions = await follow(stand_in)
    assert seqs(got) == [1, 2, 3]
    assert time.monotonic() - began >= 1
    assert [interruption.reason for interruption in interruptions] == ["not now", "64 open"]
    assert interruptions[0].wait_s >= 1


async def test_waits_double_with_each_failure_are_jittered_and_bounded(
    stand_in: StandIn,
) -> None:
    speak(stand_in, words=1)
    stand_in.answers.append(Send(limit=12, preamble=b"retry: 20\n\n"))
    stand_in.answers += [Refuse(500)] * 3
    _, interruptions = await follow(stand_in)
    waits = [interruption.wait_s for interruption in interruptions]
    for number, wait_s in enumerate(waits):
        assert 0.010 * 2**number <= wait_s <= 0.020 * 2**number
    assert all(wait_s <= MAX_WAIT_S for wait_s in waits)


async def test_it_waits_for_a_server_that_is_not_there_yet(stand_in: StandIn) -> None:
    speak(stand_in, words=1)
    port = free_port()
    stand_in.url = f"http://127.0.0.1:{port}"
    following = asyncio.create_task(follow(stand_in))
    await asyncio.sleep(0.1)
    async with stand_in.serving(port):
        got, interruptions = await following
    assert seqs(got) == [1, 2, 3]
    assert interruptions


async def test_an_answer_that_is_no_event_stream_ends_it(stand_in: StandIn) -> None:
    stand_in.answers.append(PlainTextResponse("hello"))
    with pytest.raises(ApiError, match="is that a Relayline API") as caught:
        await follow(stand_in)
    assert caught.value.kind == "not-understood"


async def test_a_submission_carries_its_key_and_gives_the_receipt(stand_in: StandIn) -> None:
    async with ApiClient(stand_in.url) as client:
        accepted = await client.submit({"agent": "assistant", "input": "hi"}, idempotency_key="k")
    method, path, headers, body = stand_in.requests[0]
    assert (method, path, body) == ("POST", "/v1/runs", {"agent": "assistant", "input": "hi"})
    assert headers["idempotency-key"] == "k"
    assert (accepted.run_id, accepted.status) == (RUN, RunStatus.QUEUED)


async def test_runs_lists_and_pages_are_read(stand_in: StandIn) -> None:
    speak(stand_in, words=1)
    async with ApiClient(stand_in.url) as client:
        run = await client.get(RUN, wait_s=3)
        listed = await client.list(status=RunStatus.COMPLETED, limit=5)
        page = await client.events(RUN, after=0, limit=10)
    assert run.status is RunStatus.COMPLETED
    assert [item.run_id for item in listed.runs] == [RUN]
    assert [event.seq for event in page.events] == [1, 2, 3]
    assert [request[1] for request in stand_in.requests] == [
        f"/v1/runs/{RUN}?wait=3",
        "/v1/runs?status=completed&limit=5",
        f"/v1/runs/{RUN}/events?after=0&limit=10",
    ]


async def test_a_command_has_a_receipt_and_an_outcome(stand_in: StandIn) -> None:
    async with ApiClient(stand_in.url) as client:
        command_id = await client.command(RUN, Cancel(reason="enough"))
        view = await client.outcome(RUN, command_id, wait_s=2)
    assert [request[1] for request in stand_in.requests] == [
        f"/v1/runs/{RUN}/cancel",
        f"/v1/runs/{RUN}/commands/cmd_1?wait=2",
    ]
    assert stand_in.requests[0][3] == {"reason": "enough", "by": ""}
    assert (view.state, view.step, view.applied) == ("applied", 2, "did it")


async def test_a_problem_document_becomes_one_error_with_its_words(stand_in: StandIn) -> None:
    stand_in.problem = Refuse(422, "invalid-field", "limits.max_steps: must be 1 or more")
    async with ApiClient(stand_in.url) as client:
        with pytest.raises(ApiError, match=r"limits\.max_steps: must be 1 or more") as caught:
            await client.submit({"agent": "assistant", "input": "hi"})
    assert (caught.value.status, caught.value.kind) == (422, "invalid-field")


@pytest.mark.parametrize(
    "answer", [PlainTextResponse("oops", 502), Response(status_code=404), PlainTextResponse("ok")]
)
async def test_an_answer_of_something_else_says_so(stand_in: StandIn, answer: Response) -> None:
    stand_in.problem = answer
    async with ApiClient(stand_in.url) as client:
        with pytest.raises(ApiError, match="is that a Relayline API") as caught:
            await client.get(RUN)
    assert caught.value.kind == "not-understood"


async def test_no_server_is_an_error_that_names_the_address_and_what_to_do() -> None:
    async with ApiClient("http://127.0.0.1:1") as client:
        with pytest.raises(ApiError, match=r"127\.0\.0\.1:1.*relayline dev") as caught:
            await client.get(RUN)
    assert caught.value.status is None


@pytest.mark.parametrize("address", ["localhost", "ftp://x", "http://", "http://[::", ""])
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(ApiError, match="no address of an API"):
        ApiClient(address)


async def test_an_id_cannot_lead_to_another_path(stand_in: StandIn) -> None:
    async with ApiClient(stand_in.url) as client:
        await client.get("../agents?x=1#y")
    assert stand_in.requests[0][1].startswith("/v1/runs/")
