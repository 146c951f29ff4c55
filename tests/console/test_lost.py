"""A server that has lost events which were given out: they count no more, the rest comes anew."""

from __future__ import annotations

import io
import json

import pytest
from starlette.responses import Response

from relayline.api.streams.frames import LOST, notice
from relayline.client.client import ApiClient
from relayline.client.errors import ApiError
from relayline.client.stream import Interruption
from relayline.console.tty.watch import watch, watch_json
from relayline.contracts.runs import RunStatus
from tests.console.stand_in import RUN, Refuse, StandIn, envelope, frame

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
async def test_it_begins_anew_and_says_so_first(
    stand_in: StandIn, answer: Refuse | Response, reason: str
) -> None:
    stand_in.answers += [speak(stand_in), answer]
    interruptions: list[Interruption] = []
    async with ApiClient(stand_in.url) as client:
        frames = client.frames(RUN, on_interruption=interruptions.append)
        got = [int(frame.id or 0) async for frame in frames]
    assert got == [*range(1, 10), *range(1, 6)]
    assert stand_in.cursors == [None, "9", None]
    assert [(cut.reason, cut.anew) for cut in interruptions] == [
        ("the server closed the stream", False),
        (reason, True),
    ]


async def test_it_begins_anew_from_where_it_was_to_begin(stand_in: StandIn) -> None:
    stand_in.answers += [speak(stand_in, 3), AHEAD]
    async with ApiClient(stand_in.url) as client:
        got = [int(frame.id or 0) async for frame in client.frames(RUN, after=2)]
    assert got == [*range(3, 10), *range(3, 6)]
    assert stand_in.cursors == ["2", "9", "2"]


async def test_a_cursor_that_is_ahead_from_the_first_is_refused(stand_in: StandIn) -> None:
    speak(stand_in)
    stand_in.answers.append(AHEAD)
    with pytest.raises(ApiError, match="the newest event has seq 3"):
        async with ApiClient(stand_in.url) as client:
            [frame async for frame in client.frames(RUN, after=9)]


async def test_people_are_told_and_shown_what_stands_from_the_start(stand_in: StandIn) -> None:
    stand_in.answers += [speak(stand_in), TOLD]
    out = io.StringIO()
    async with ApiClient(stand_in.url) as client:
        assert await watch(client, RUN, out, io.StringIO()) is RunStatus.COMPLETED
    before, line, after = out.getvalue().partition(
        "\n↻ the server has lost events (the newest is 3): once more from the start\n"
    )
    assert line
    assert before.endswith("lost8 lost9 ")
    assert after.startswith(f"▶ {RUN} · assistant · rehearsal\n— step 1\nas stored\n✓ completed")


async def test_json_lines_come_anew_after_a_word_aside(stand_in: StandIn) -> None:
    stand_in.answers += [speak(stand_in), TOLD]
    out, err = io.StringIO(), io.StringIO()
    async with ApiClient(stand_in.url) as client:
        assert await watch_json(client, RUN, out, err) is RunStatus.COMPLETED
    assert [json.loads(line) for line in out.getvalue().splitlines()][9:] == stand_in.events
    assert "the server has lost events (the newest is 3)" in err.getvalue()
