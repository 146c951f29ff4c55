"""The benchmarks' own arithmetic and parsing: figures are only as true as these."""

from __future__ import annotations

import pytest

from benchmarks.measure import (
    Figure,
    as_json,
    events_per_activity,
    in_order,
    percentile,
    verdict,
)
from benchmarks.sse import Arrival, dechunk, parse_frames, parse_reply, written_at

ENVELOPE = (
    b'{"seq":2,"run_id":"run_1","at":"2026-01-02T03:04:05.000250Z","type":"message.delta",'
    b'"step":1,"data":{"text":"hi "}}'
)
FRAME = b"id: 2\nevent: message.delta\ndata: " + ENVELOPE + b"\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (50, 50), (95, 95), (99.5, 100), (100, 100)]
)
def test_a_percentile_is_the_nearest_rank(percent: float, value: float) -> None:
    assert percentile([*range(100, 0, -1)], percent) == value


def test_one_value_is_every_percentile_of_itself() -> None:
    assert {percentile([7.0], percent) for percent in (0, 50, 95, 100)} == {7.0}


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize(
    ("ours", "limit", "judged"),
    [
        (6, 6, "ok"),
        (5, 6, "ok"),
        (9, 6, "short x1.50"),
        (1, 0, "short"),
        (0, 0, "ok"),
        (9, None, ""),
    ],
)
def test_a_figure_is_judged_by_its_limit(ours: float, limit: float | None, judged: str) -> None:
    assert verdict(Figure("b", "n", "ms", ours, limit=limit)) == judged


def test_the_json_of_a_figure_says_how_it_was_judged() -> None:
    shown = as_json(Figure("submit", "POST", "ms", 12.34567, floor=5, against="bare", limit=15))
    assert shown["ours"] == 12.3457
    assert shown["verdict"] == "ok"
    assert shown["floor"] == 5


@pytest.mark.parametrize("ids", [[1, 2], [1, 2, 2, 3], [1, 3, 2], [0, 1, 2, 3], [2, 3]])
def test_a_gap_a_double_or_a_swap_is_not_in_order(ids: list[int]) -> None:
    assert in_order([1, 2, 3], 3)
    assert not in_order(ids, 3)


def test_history_events_are_counted_up_to_the_end_of_each_activity() -> None:
    model = [("", ""), ("scheduled", "model"), ("", ""), ("completed", "model")]
    tool = [("", ""), ("", ""), ("scheduled", "tool"), ("", ""), ("completed", "tool")]
    assert events_per_activity([*model, *tool, *model]) == {"model": [4, 4], "tool": [5]}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_stream_cut_anywhere_is_read_whole(size: int) -> None:
    comment, retry = b": \n\n", b"retry: 1000\n\n"
    raw = HEAD + chunk(retry) + chunk(FRAME[:9]) + chunk(FRAME[9:] + comment) + chunk(FRAME)
    raw += chunk(b"")
    pieces = [Arrival(float(at), raw[at : at + size]) for at in range(0, len(raw), size)]
    reply = parse_reply(pieces)
    assert reply.status == 200
    assert [(frame.id, frame.type, frame.data) for frame in reply.frames()] == [
        (2, "message.delta", ENVELOPE)
    ] * 2


def test_a_frame_is_as_old_as_its_last_byte() -> None:
    frames = list(parse_frames([Arrival(1.0, FRAME[:20]), Arrival(2.0, FRAME[20:] + FRAME)]))
    assert [frame.at for frame in frames] == [2.0, 2.0]
    assert list(dechunk([Arrival(1.0, b"2\r\na"), Arrival(3.0, b"b\r\n")])) == [Arrival(3.0, b"ab")]


def test_a_reply_without_chunks_is_read_as_it_is() -> None:
    reply = parse_reply(
        [
            Arrival(1.0, b'HTTP/1.1 202 Accepted\r\nA: b\r\n\r\n{"run_id"'),
            Arrival(2.0, b':"run_1"}'),
        ]
    )
    assert (reply.status, reply.headed_at, reply.json()) == (202, 1.0, {"run_id": "run_1"})


def test_a_reply_that_breaks_off_in_its_head_is_an_error() -> None:
    with pytest.raises(ValueError, match="middle of the head"):
        parse_reply([Arrival(1.0, b"HTTP/1.1 2")])


def test_an_envelope_tells_when_it_was_written() -> None:
    assert written_at(ENVELOPE) == 1767323045.00025
    with pytest.raises(ValueError, match="no `at`"):
        written_at(b"{}")
