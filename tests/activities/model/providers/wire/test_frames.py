"""The decoder of events, at the level of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.activities.model.providers.wire.frames import Frame, Frames, TooLong

NOISE = [b": ping", b"", b"retry: 1", b"id: 4", b"data", b"data:", b"event: ping", b"x: y", b":"]
ENDS = [b"\n", b"\r\n", b"\r"]
texts = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1), min_size=1
)


def decoded(*chunks: bytes) -> list[Frame]:
    frames = Frames()
    told = [frame for chunk in chunks for frame in frames.feed(chunk)]
    return [*told, *frames.end()]


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """Texts, and a stream that says them amid noise."""
    said = [f"|{text}|" for text in draw(texts)]
    stream = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    for text in said:
        end = draw(st.sampled_from(ENDS))
        for noise in draw(st.lists(st.sampled_from(NOISE), max_size=3)):
            stream += noise + end + end
        space = draw(st.sampled_from([b"", b" "]))
        stream += b"data:" + space + text.encode() + end + end
    return said, stream


@given(streams(), st.data())
def test_any_split_and_any_noise_give_the_same_text(
    stream: tuple[list[str], bytes], data: st.DataObject
) -> None:
    said, body = stream
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert [frame.data for frame in decoded(*chunks)] == said
    assert [frame.data for frame in decoded(*(bytes([byte]) for byte in body))] == said


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_any_bytes_are_decoded_the_same_however_they_are_split(chunks: list[bytes]) -> None:
    assert decoded(*chunks) == decoded(b"".join(chunks))


def test_lines_of_an_event_are_joined_and_its_name_is_its_own() -> None:
    body = b"event: a\ndata: 1\ndata: 2\n\ndata: 3\n\nevent: error\n\ndata: 4"
    assert decoded(body) == [Frame("a", "1\n2"), Frame("", "3"), Frame("error", ""), Frame("", "4")]


@pytest.mark.parametrize("body", [b"data: " + b"x" * 100, b"data: xxxxxxxxx\n" * 10])
def test_event_without_end_is_too_long(body: bytes) -> None:
    with pytest.raises(TooLong, match="64 bytes"):
        list(Frames(max_bytes=64).feed(body))
