"""Posts one webhook over HTTP; loaded with the first one, because it takes a while."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from relayline.outbound.addresses import NoAddress
from relayline.outbound.bounded import MAX_HEAD_BYTES, BoundedTransport, TooLong
from relayline.outbound.receiver import BadReceiver, Place, Rules, checked_addresses
from relayline.outbound.sender import MAX_RETRY_AFTER, Reply

CONNECT_S = 5.0
MAX_BODY_BYTES = 64 * 1024
"""As much of an answer's body is read, and dropped."""
DROP_S = 1.0
"""For so long."""
_NAMES: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, f"no connection within {CONNECT_S:g} s"),
    (httpx.TimeoutException, "it did not answer in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.RemoteProtocolError, "its answer is not HTTP"),
    (TooLong, f"the head of its answer is longer than {MAX_HEAD_BYTES // 1024} KiB"),
)
_FAILURES = (httpx.TransportError, httpx.InvalidURL, ssl.SSLError, OSError, TooLong)


async def post(
    rules: Rules, total_s: float, place: Place, headers: Mapping[str, str], body: bytes
) -> Reply:
    """As `Sender.send`."""
    began = time.monotonic()
    answer: httpx.Response | None = None
    error: str | None = None
    try:
        tls = await asyncio.to_thread(_tls)
        async with asyncio.timeout(total_s):
            addresses = await checked_addresses(place, rules)
            patience = httpx.Timeout(total_s, connect=CONNECT_S)
            transport = BoundedTransport(tls, MAX_BODY_BYTES)
            client = httpx.AsyncClient(trust_env=False, timeout=patience, transport=transport)
            async with client:
                answer = await _posted(client, place, addresses, headers, body)
                took_ms = _since(began)
                await _drop_body(answer)
    except TimeoutError:
        error = f"it did not answer within {total_s:g} s"
    except BadReceiver as refusal:
        return Reply(None, _since(began), str(refusal), refused=True)
    except NoAddress as unknown:
        error = str(unknown)
    except _FAILURES as failure:
        error = _name_of(failure)
    if answer is None:
        return Reply(None, _since(began), error or "it did not answer")
    return Reply(answer.status_code, took_ms, _error_of(answer), _retry_after(answer))


async def _posted(
    client: httpx.AsyncClient,
    place: Place,
    addresses: list[str],
    headers: Mapping[str, str],
    body: bytes,
) -> httpx.Response:
    """The head of the answer, from the first address that can be connected to."""
    for number, address in enumerate(addresses, 1):
        request = client.build_request(
            "POST",
            place.url.copy_with(host=address),
            content=body,
            headers={
                "Host": place.url.netloc.decode("ascii"),
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": "relayline",
                **headers,
            },
            extensions={"sni_hostname": place.host},
        )
        try:
            return await client.send(request, stream=True, follow_redirects=False)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if number == len(addresses):
                raise
    raise httpx.ConnectError("no address")


async def _drop_body(answer: httpx.Response) -> None:
    """Read some of the body, so that an honest receiver sees its answer taken; never fails.

    The status has said everything: a body that breaks off, or never ends, changes nothing.
    """
    with suppress(TimeoutError, *_FAILURES):
        async with asyncio.timeout(DROP_S):
            async for _ in answer.aiter_raw():
                pass
    with suppress(*_FAILURES):
        await answer.aclose()


def _error_of(answer: httpx.Response) -> str | None:
    if answer.is_success:
        return None
    further = ": redirects are not followed" if answer.is_redirect else ""
    return f"it answered {answer.status_code}{further}"


def _retry_after(answer: httpx.Response) -> timedelta | None:
    """The `Retry-After` of an answer that is no success, in either of its two forms."""
    given = answer.headers.get("retry-after", "").strip()
    if answer.is_success or not given:
        return None
    if given.isascii() and given.isdigit():
        seconds = min(int(given[:9]), MAX_RETRY_AFTER.total_seconds())
        return timedelta(seconds=seconds)
    try:
        until = parsedate_to_datetime(given)
        pause = until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)
    except (ValueError, OverflowError):
        return None
    return min(max(pause, timedelta()), MAX_RETRY_AFTER)


def _name_of(failure: Exception) -> str:
    """What went wrong, in our own words: the receiver's may have secrets in them."""
    if isinstance(failure.__cause__, ssl.SSLError) or "CERTIFICATE" in str(failure).upper():
        return "its certificate can't be verified, or it does not speak TLS"
    found = (name for kind, name in _NAMES if isinstance(failure, kind))
    return next(found, "the connection broke off")


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


@cache
def _tls() -> ssl.SSLContext:
    """Made once: it reads all certificates of the system."""
    return ssl.create_default_context()
