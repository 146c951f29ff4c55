"""Connections cut at every position: what is given out is the journal, each event once."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.client import Event, RelaylineError, Retry, Unreachable
from relayline.client.backoff import MAX_WAIT_S, Backoff
from relayline.client.streams.follower import Follower, Reading
from tests.client.stand_in import RUN, StandIn, frame

BASE = "http://127.0.0.1:1"


def journal(*, reset: bool) -> StandIn:
    """A whole run; with `reset`, one that had ended before an operator reset it."""
    server = StandIn()
    server.add("run.started", agent="assistant", model="rehearsal")
    server.add("message.delta", 1, 1, text="wörd\u2028☃ ")
    server.add("mood.changed", mood="good")
    if reset:
        server.add("run.failed", error={"type": "x", "message": "y"})
        server.add("run.rewound", to_seq=2, epoch=1)
    server.add("message.completed", 1, 1, text="wörd\u2028☃ ", finish_reason="stop")
    server.add("run.completed", output="done")
    return server


def connection(
    follower: Follower, server: StandIn, limit: int | None, chunk: int
) -> tuple[list[Event], bool]:
    """One connection, cut after that many bytes; what it gives, and whether it was cut."""
    after = follower.cursor
    if after >= len(server.events):
        follower.opened(httpx.Response(204))
        return [], False
    body = b"retry: 0\n\n" + b"".join(frame(event) for event in server.events[after:])
    follower.opened(httpx.Response(200, headers={"content-type": "text/event-stream"}))
    cut = limit is not None and limit < len(body)
    body, got = body[:limit], list[Event]()
    for start in range(0, len(body), chunk):
        got.extend(follower.feed(body[start : start + chunk]))
    return got, cut


def followed(server: StandIn, cuts: list[int], chunk: int) -> list[Event]:
    """All that is given out over connections which are cut so, and at last one that is not."""
    got, limits = list[Event](), iter(cuts)
    follower = Follower(BASE, Reading(RUN, 0, 1), Backoff())
    while not follower.over:
        events, cut = connection(follower, server, next(limits, None), chunk)
        got += events
        try:
            if cut:
                raise httpx.ReadError("cut")
            follower.closed()
        except (httpx.HTTPError, RelaylineError) as error:
            _, notices = follower.failed(error)
            assert not notices
    return got


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_at_any_byte_loses_and_repeats_nothing(reset: bool) -> None:
    server = journal(reset=reset)
    size = len(b"".join(map(frame, server.events)))
    for cut in range(size):
        assert [json.loads(event.raw) for event in followed(server, [cut], 64)] == server.events


@given(
    st.booleans(), st.lists(st.integers(0, 900), max_size=12), st.sampled_from([1, 7, 64, 10_000])
)
def test_wherever_connections_are_cut_every_event_is_given_out_once(
    reset: bool, cuts: list[int], chunk: int
) -> None:
    server = journal(reset=reset)
    got, whole = followed(server, cuts, chunk), server.events
    if reset and len(got) == 4:  # cut again at once after the first end: then that end counts
        whole = whole[:4]
    assert [json.loads(event.raw) for event in got] == whole


@pytest.mark.parametrize(
    ("patience_s", "answered", "raises"), [(None, False, False), (5, False, True), (5, True, False)]
)
def test_patience_is_the_time_without_an_answer(
    patience_s: float | None, answered: bool, raises: bool
) -> None:
    retries, waited_s = list[Retry](), 0.0
    backoff = Backoff(patience_s, lambda: waited_s)
    follower = Follower(BASE, Reading(RUN, 0, 1), backoff, retries.append)

    def fail() -> None:
        nonlocal waited_s
        for _ in range(12):
            waited_s += follower.failed(httpx.ConnectError("refused"))[0]
            if answered:
                follower.opened(httpx.Response(200, headers={"content-type": "text/event-stream"}))

    if raises:
        with pytest.raises(Unreachable, match="no API answers"):
            fail()
        assert waited_s == patience_s
    else:
        fail()
        assert [retry.reason for retry in retries] == ["refused"] * 12
        assert retries[-1].wait_s == patience_s or 7.5 <= retries[-1].wait_s <= MAX_WAIT_S


def test_a_connection_that_breaks_after_the_end_is_tried_once_more() -> None:
    server = journal(reset=False)
    follower = Follower(BASE, Reading(RUN, 0, 1), Backoff(patience_s=0))
    connection(follower, server, None, 64)
    wait_s, _ = follower.failed(httpx.ReadError("cut"))
    assert (follower.over, wait_s) == (False, 1)
    follower.failed(httpx.ConnectError("refused"))
    assert follower.over
