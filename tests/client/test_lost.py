"""A server that has lost events which were given out: they are void, the rest comes again."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from relayline.api.streams.frames import LOST, notice
from relayline.client import EventsLost, InvalidRequest
from tests.client.both import Caller
from tests.client.stand_in import RUN, Refuse, StandIn, envelope, frame

AHEAD = Refuse(400, "cursor-ahead", "the newest event has seq 3")
ENDED = Response(status_code=204)
TOLD = Response(notice(RUN, LOST, "the newest is 3"), media_type="text/event-stream")


def speak(stand_in: StandIn, first: int = 1) -> Response:
    """What stands of a run, and the stream of what it was before."""
    lost = [
        envelope(1, "run.started", {"agent": "assistant", "model": "rehearsal"}),
        envelope(2, "step.started", {"kind": "model", "model": "m"}, 1),
        *(envelope(seq, "message.delta", {"text": f"lost{seq} "}, 1, 1) for seq in range(3, 10)),
    ]
    stand_in.events = lost[:2]
    stand_in.add("message.delta", 1, 1, text="as stored")
    stand_in.add("message.completed", 1, 1, text="as stored", finish_reason="stop")
    stand_in.add("run.completed", output="as stored")
    stream = b"retry: 1\n\n" + b"".join(map(frame, lost[first - 1 :]))
    return Response(stream, media_type="text/event-stream")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (AHEAD, "the newest event has seq 3"),
        (ENDED, "the run has ended before the newest event seen"),
        (TOLD, "the newest is 3"),
    ],
)
async def test_a_notice_says_so_and_everything_comes_from_the_start(
    stand_in: StandIn, both: Caller, answer: Refuse | Response, reason: str
) -> None:
    stand_in.answers += [speak(stand_in), answer]
    got, retries = await both.follow(stand_in)
    assert [event.seq for event in got] == [*range(1, 10), 0, *range(1, 6)]
    assert got[9].body == EventsLost(reason=reason)
    assert stand_in.cursors == [None, "9", None]
    assert [retry.reason for retry in retries] == ["the server closed the stream"]


async def test_what_was_shown_is_forgotten(stand_in: StandIn, both: Caller) -> None:
    stand_in.answers += [speak(stand_in), TOLD]
    async with both.open(stand_in.url) as client:
        stream = client.run(RUN).stream()
        pieces = [piece async for piece in both.items(stream.text())]
    before, (void, *after) = pieces[:7], pieces[7:]
    assert "".join(piece.text for piece in before).endswith("lost8 lost9 ")
    assert void == (1, "", True)
    assert [tuple(piece) for piece in after] == [(1, "as stored", False)]
    assert (stream.output, stream.rendered.text(1)) == ("as stored", "as stored")


async def test_it_starts_over_from_where_it_began(stand_in: StandIn, both: Caller) -> None:
    stand_in.answers += [speak(stand_in, 3), AHEAD]
    got, _ = await both.follow(stand_in, after=2)
    assert [event.seq for event in got] == [*range(3, 10), 0, *range(3, 6)]
    assert stand_in.cursors == ["2", "9", "2"]


async def test_a_cursor_that_is_ahead_from_the_first_is_refused(
    stand_in: StandIn, both: Caller
) -> None:
    speak(stand_in)
    stand_in.answers.append(AHEAD)
    with pytest.raises(InvalidRequest, match="the newest event has seq 3"):
        await both.follow(stand_in, after=9)
