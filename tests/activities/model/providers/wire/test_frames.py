"""The decoder of events, at the level of bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.activities.model.providers.wire.frames import Frame, Frames, TooLong, as_text

NOISE = [b": ping", b"", b"retry: 1", b"id: 4", b"data", b"data:", b"event: ping", b"x: y", b":"]
NOISE += [b"\0", b"\xef\xbb\xbf", b"\0\xef\xbb\xbf: x", b" ", b":\xff"]
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


@given(st.text(st.characters(), min_size=1), st.integers(0, 2**32))
def test_one_broken_byte_changes_nothing_else(text: str, seed: int) -> None:
    """Also surrogates that were encoded one by one stay, to be joined later."""
    data = text.encode("utf-8", "surrogatepass")
    ends = [0, *itertools.accumulate(len(it.encode("utf-8", "surrogatepass")) for it in text)]
    at = seed % len(ends)
    broken = as_text(data[: ends[at]] + b"\xff" + data[ends[at] :])
    assert broken == f"{text[:at]}\ufffd{text[at:]}"
    assert as_text(data) == text


def test_lines_of_data_that_are_whole_need_no_blank_lines_between() -> None:
    frames = Frames()
    assert [*frames.feed(b'data: {"a": 1}\ndata: {"b": 2}\n')] == [Frame("", '{"a": 1}')]
    assert [*frames.feed(b"data: [DONE]\n\n")] == [Frame("", '{"b": 2}'), Frame("", "[DONE]")]


@pytest.mark.parametrize("body", [b"data: " + b"x" * 100, b"data: xxxxxxxxx\n" * 10])
def test_event_without_end_is_too_long(body: bytes) -> None:
    with pytest.raises(TooLong, match="64 bytes"):
        list(Frames(max_bytes=64).feed(body))
