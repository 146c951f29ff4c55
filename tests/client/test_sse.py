"""The parser of Server-Sent Events: any chunks, any line ends, the standard's corner cases."""

from __future__ import annotations

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from relayline.client.streams.sse import SseFrame, SseParser

ENDS = ("\n", "\r\n", "\r")
text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12)
names = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=6)
frames = st.builds(
    lambda id_, event, lines: SseFrame(id_, event or "message", "\n".join(lines)),
    st.none() | names,
    names,
    st.lists(text, min_size=1, max_size=3),
)
noise = st.sampled_from(["", ": heartbeat", ":", "retry: 250", "unknown: 1", "retry: x"])


def parse(*chunks: bytes) -> list[SseFrame]:
    parser = SseParser()
    return [frame for chunk in chunks for frame in parser.feed(chunk)]


def encode(frame: SseFrame, comment: str, end: str) -> str:
    lines = [comment] if comment else []
    lines += [] if frame.id is None else [f"id: {frame.id}"]
    lines += [f"event: {frame.event}", *(f"data: {line}" for line in frame.data.split("\n"))]
    return end.join([*lines, "", ""])


@given(st.lists(st.tuples(frames, noise, st.sampled_from(ENDS)), max_size=5), st.data())
def test_any_stream_in_any_chunks_gives_its_frames(
    sent: list[tuple[SseFrame, str, str]], data: st.DataObject
) -> None:
    stream = "".join(encode(*each) for each in sent).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    bounds = [0, *cuts, len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(bounds)]
    assert parse(*chunks) == [frame for frame, _, _ in sent]


@given(text)
def test_separators_that_only_unicode_knows_do_not_end_a_line(inside: str) -> None:
    data = json.dumps(f"a\u2028b\u2029c\x85d\x0b{inside}", ensure_ascii=False)
    assert parse(f"data: {data}\n\n".encode()) == [SseFrame(None, "message", data)]


def test_a_frame_that_is_cut_short_is_not_given_out() -> None:
    assert parse(b"id: 1\ndata: whole\n\nid: 2\ndata: half\n") == [
        SseFrame("1", "message", "whole")
    ]


def test_a_frame_without_data_is_not_given_out_and_its_id_does_not_leak() -> None:
    assert parse(b"id: 7\nevent: x\n\ndata: y\n\n") == [SseFrame(None, "message", "y")]


def test_only_one_space_after_the_colon_is_taken_off() -> None:
    assert parse(b"data:  two\ndata:none\ndata\n\n") == [SseFrame(None, "message", " two\nnone\n")]


def test_a_byte_order_mark_at_the_start_is_skipped() -> None:
    assert parse(b"\xef\xbb\xbfdata: x\n\n") == [SseFrame(None, "message", "x")]


def test_the_reconnection_time_is_kept_if_it_is_a_number() -> None:
    parser = SseParser()
    assert not list(parser.feed(b"retry: 1500\n\nretry: soon\n\n"))
    assert parser.retry_ms == 1500


def test_an_id_with_a_null_character_is_ignored() -> None:
    assert parse(b"id: 1\0\ndata: x\n\n") == [SseFrame(None, "message", "x")]
