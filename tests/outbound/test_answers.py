"""Whatever a receiver answers, it is bounded in time and size, named, and not quoted."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import suppress

import pytest

from relayline.outbound.receiver import Rules, place_of
from relayline.outbound.sender import Sender
from tests.webhooks.receiving import Answer, Got, Writer, answers, receiving

HERE = Rules(loopback=True)


def raw(*parts: bytes, pause_s: float = 0, last: bool = True) -> Answer:
    """Answers with these bytes, then closes, or hangs."""

    async def answer(_got: Got, writer: Writer) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if not last:
            await asyncio.Event().wait()

    return answer


async def _gigabyte(_got: Got, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x" * 1_000_000)
        await writer.drain()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
FLOOD = b"HTTP/1.1 100 Continue\r\n\r\n"
BOMB = gzip.compress(b"0" * 20_000_000)
LIES: dict[str, tuple[Answer, int | None, str | None]] = {
    "a gigabyte": (_gigabyte, 200, None),
    "closes at once": (raw(), None, "its answer is not HTTP"),
    "closes in the head": (raw(b"HTTP/1.1 200"), None, "its answer is not HTTP"),
    "no HTTP": (raw(b"SSH-2.0-x\r\n"), None, "its answer is not HTTP"),
    "a body too short": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), 200, None),
    "an endless head": (
        raw(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 50_000),
        None,
        "longer than 64 KiB",
    ),
    "a header without an end": (raw(b"HTTP/1.1 200 OK\r\nx: ", b"y" * 90_000), None, "longer"),
    "many interim answers": (raw(FLOOD * 100, OK), 200, None),
    "no end of interim answers": (raw(FLOOD * 10_000, OK), None, "longer than 64 KiB"),
    "early hints": (raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", OK), 200, None),
    "another redirect": (
        answers("302 Found", "Location: http://169.254.169.254/"),
        302,
        "redirects are not followed",
    ),
    "307": (answers("307 x", "Location: /"), 307, "redirects are not followed"),
    "301 to a private address": (
        answers("301 Moved", "Location: https://[::ffff:10.0.0.1]/"),
        301,
        "redirects are not followed",
    ),
    "308": (answers("308 x", "Location: https://localhost/"), 308, "redirects are not followed"),
    "switches": (raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), None, "not HTTP"),
    "a cookie": (answers("200 OK", "Set-Cookie: a=b"), 200, None),
    "compressed nonsense": (answers("200 OK", "Content-Encoding: gzip"), 200, None),
    "a compressed bomb": (
        raw(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB),
            BOMB,
        ),
        200,
        None,
    ),
    "garbage for chunks": (raw(CHUNKED, b"zz\r\n" * 100), 200, None),
    "a chunk of a petabyte": (raw(CHUNKED, b"4000000000000\r\n", b"x" * 100_000), 200, None),
    "no end of trailers": (raw(CHUNKED, b"0\r\n", b"x: y\r\n" * 20_000), 200, None),
    "a negative length": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), None, "not HTTP"),
    "two lengths": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        None,
        "not HTTP",
    ),
    "an unknown status": (raw(b"HTTP/1.1 999 Secret\r\n\r\n"), 999, "it answered 999"),
    "no status": (raw(b"HTTP/1.1 xx Secret\r\n\r\n"), None, "not HTTP"),
    "HTTP/2": (raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), None, "not HTTP"),
    "HTTP/0.9": (raw(b"<html>Secret</html>"), None, "not HTTP"),
    "a NUL in a header": (raw(b"HTTP/1.1 200 OK\r\nx: \0\r\n\r\n"), None, "not HTTP"),
    "500": (answers("500 Secret Internals"), 500, "it answered 500"),
}


@pytest.mark.parametrize("name", LIES)
async def test_a_receiver_that_misbehaves_is_named_and_not_quoted(name: str) -> None:
    answer, status, error = LIES[name]
    async with receiving(answer) as receiver:
        place = place_of(receiver.url)
        first = await Sender(HERE).send(place, {"webhook-id": "x"}, b"{}")
        await Sender(HERE).send(place, {"webhook-id": "x"}, b"{}")
    assert first.status == status
    assert (first.error is None) == (error is None)
    assert error is None or error in (first.error or "")
    assert "Secret" not in (first.error or "")
    assert receiver.connections == 2, "no redirect, no retry, no connection kept"
    assert not any("cookie" in got.headers for got in receiver.got)


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        raw(last=False),
        raw(b"HTTP/1.1 200 OK\r\n", last=False),
        raw(*[FLOOD] * 3, pause_s=0.1, last=False),
        raw(*[bytes([each]) for each in OK], pause_s=0.05, last=False),
        raw(*[FLOOD] * 100, pause_s=0.05, last=False),
    ],
    ids=["silent", "half a head", "always about to", "a byte at a time", "an interim at a time"],
)
async def test_a_receiver_that_is_slow_is_given_up_in_time(
    answer: Answer,
) -> None:
    async with receiving(answer) as receiver:
        reply = await Sender(HERE, total_s=1).send(place_of(receiver.url), {}, b"{}")
    assert reply.status is None
    assert "did not answer" in (reply.error or "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        raw(b"HTTP/1.1 200 OK\r\n\r\n", last=False),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 100, pause_s=0.05),
        raw(CHUNKED, *[b"1\r\nx\r\n"] * 100, pause_s=0.05),
    ],
    ids=["silent", "a byte at a time", "a chunk at a time"],
)
async def test_a_body_that_never_ends_makes_no_success_a_failure(answer: Answer) -> None:
    async with receiving(answer) as receiver:
        reply = await Sender(HERE).send(place_of(receiver.url), {}, b"{}")
    assert (reply.status, reply.error) == (200, None)


async def test_of_an_answer_that_never_ends_little_is_read() -> None:
    """Each interim answer takes the parser time in which nobody else runs."""
    sent = 0

    async def flood(_got: Got, writer: Writer) -> None:
        nonlocal sent
        with suppress(OSError):
            while True:
                writer.write(FLOOD * 1000)
                await writer.drain()
                sent += len(FLOOD) * 1000

    async with receiving(flood) as receiver:
        reply = await Sender(HERE).send(place_of(receiver.url), {}, b"{}")
        async with asyncio.timeout(60):
            while receiver.serving:
                await asyncio.sleep(0.01)
    assert "longer than 64 KiB" in (reply.error or "")
    assert sent < 20_000_000, "what fits into the buffers of the kernel"


LONGEST = 12 * 3600
PAUSES: dict[str, float | None] = {
    "7": 7,
    "0": 0,
    "99999999999": LONGEST,
    str(10**12): LONGEST,
    "9" * 5000: LONGEST,
    "-1": None,
    "-1000000000000": None,
    "1.5": None,
    "1e9": None,
    "0x10": None,
    "+5": None,
    "x": None,
    "Wed, 21 Oct 2015 07:28:00 GMT": 0,
    "Thu, 01 Jan 1970 00:00:00 GMT": 0,
    "Fri, 31 Dec 9999 23:59:59 GMT": LONGEST,
    "Fri, 31 Dec 9999 23:59:59 -2359": LONGEST,
    "Fri, 32 Dec 2026 23:59:59 GMT": None,
    "Fri, 31 Dec 2026 23:59:59 +9999": None,
    "Mon, 01 Foo 2026 00:00:00 GMT": None,
}


@pytest.mark.parametrize("given", PAUSES)
async def test_retry_after_is_read_and_bounded(given: str) -> None:
    async with receiving(answers("429 Slow", f"Retry-After: {given}")) as receiver:
        reply = await Sender(HERE).send(place_of(receiver.url), {}, b"{}")
    found = None if reply.retry_after is None else reply.retry_after.total_seconds()
    assert (reply.status, found) == (429, PAUSES[given])
