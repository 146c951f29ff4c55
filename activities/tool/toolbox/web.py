"""The tool `fetch_url`: a page from the public internet, as text."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import TYPE_CHECKING, TypedDict

from relayline.catalog.foreign import name, words
from relayline.catalog.tools import Tool, ToolError, tool
from relayline.outbound.addresses import NoAddress, NotPublic, reachable_addresses

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 1024 * 1024
MAX_SENT_BYTES = 8 * MAX_BYTES
"""The same with the lengths of chunks, which may be tiny."""
MAX_REDIRECTS = 5
TIMEOUT_S = 30
CONNECT_S = 10.0
_PORTS = {"http": 80, "https": 443}
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([\w.:+-]+)", re.IGNORECASE)
_MAX_KIND_CHARS = 1000
_CHARSET_NAMES = """
ascii utf_8 utf_8_sig utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le latin_1
iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10
iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16 tis_620 koi8_r koi8_u mac_roman
mac_cyrillic cp437 cp850 cp852 cp866 cp874 cp932 cp949 cp1250 cp1251 cp1252 cp1253 cp1254
cp1255 cp1256 cp1257 cp1258 gb2312 gbk gb18030 big5 big5hkscs euc_jp euc_kr iso2022_jp
shift_jis
"""
CHARSETS = frozenset(_CHARSET_NAMES.split())
"""Charsets of the web that Python decodes in time proportional to the page."""
_TEXTUAL = ("text/", "application/json", "application/xml", "application/javascript")


class Page(TypedDict):
    """The result for the model."""

    url: str
    """The final URL, after redirects."""
    status: int
    content_type: str
    text: str
    truncated: bool
    """True if the page was longer than 1 MiB and was cut."""


def fetch_url_with(allowed: Collection[str]) -> Tool:
    """`fetch_url`, which may also reach the allowed hosts."""
    listed = frozenset(host.lower() for host in allowed)

    @tool(timeout_s=TIMEOUT_S)
    async def fetch_url(url: str) -> Page:
        """Fetch a text page by http or https, at most 1 MiB of it; follows redirects."""
        return await _fetch(url, listed)

    return fetch_url


async def _fetch(url: str, allowed: Collection[str]) -> Page:
    """Fetch the page."""
    async with opened(url, allowed, MAX_SENT_BYTES) as (reply, target):
        return await _page(reply, target)


@asynccontextmanager
async def opened(
    url: str, allowed: Collection[str], max_bytes: int
) -> AsyncIterator[tuple[httpx.Response, httpx.URL]]:
    """The answer at a URL, and where it came from; follows redirects.

    Each address is checked like the first: only public ones and the allowed hosts are asked.

    Raises:
        ToolError: it may not be reached, does not answer, or sends more than `max_bytes`.
    """
    import httpx  # noqa: PLC0415  slow, and not needed for the tool's spec

    from relayline.outbound.bounded import BoundedTransport, TooLong  # noqa: PLC0415

    tls = await asyncio.to_thread(ssl.create_default_context)
    try:
        target = httpx.URL(url)
        transport = BoundedTransport(tls, max_bytes)
        async with httpx.AsyncClient(
            trust_env=False, timeout=CONNECT_S, transport=transport
        ) as client:
            for _ in range(MAX_REDIRECTS + 1):
                async with aclosing(await _get(client, target, allowed)) as reply:
                    if not reply.has_redirect_location:
                        yield reply, target
                        return
                    target = target.join(reply.headers["location"])
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ToolError(f"{url[:200]!r} is not a URL: {error}", retryable=False) from error
    except TooLong as error:
        raise ToolError(f"{target.host!r} sent more than is read", retryable=False) from error
    except httpx.TransportError as error:
        raise ToolError(f"{target.host!r} did not answer: {_why(error)}") from error
    raise ToolError(f"{url[:200]!r} redirects more than {MAX_REDIRECTS} times", retryable=False)


async def _get(
    client: httpx.AsyncClient, target: httpx.URL, allowed: Collection[str]
) -> httpx.Response:
    """The response from a checked address, without its body."""
    import httpx  # noqa: PLC0415

    if target.scheme not in _PORTS or not target.host:
        raise ToolError(f"{str(target)[:200]!r} is not an http or https URL", retryable=False)
    if target.userinfo:
        raise ToolError("URLs with a user name or password are not allowed", retryable=False)
    host = target.raw_host.decode("ascii").strip("[]")
    port = target.port or _PORTS[target.scheme]
    problem = ""
    for address in await _addresses(host, port, allowed):
        request = client.build_request(
            "GET",
            target.copy_with(host=address),
            headers={
                "Host": target.netloc.decode("ascii"),
                "Accept-Encoding": "identity",
                "User-Agent": "relayline",
            },
            extensions={"sni_hostname": host},
        )
        try:
            return await client.send(request, stream=True, follow_redirects=False)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            problem = _why(error)
    raise ToolError(f"{host!r} can't be reached: {problem}")


async def _addresses(host: str, port: int, allowed: Collection[str]) -> list[str]:
    try:
        return await reachable_addresses(host, port, allowed)
    except NoAddress as error:
        raise ToolError(str(error)) from error
    except NotPublic as error:
        listed = "an operator can list the host in RELAYLINE_FETCH_ALLOW"
        raise ToolError(f"{error}; {listed}", retryable=False) from error


async def _page(reply: httpx.Response, target: httpx.URL) -> Page:
    """The page, if the response is a success and text."""
    kind = reply.headers.get("content-type", "")
    check_status(reply, target)
    if (
        kind
        and not kind.lower().startswith(_TEXTUAL)
        and "+xml" not in kind
        and "+json" not in kind
    ):
        raise ToolError(f"{target} is {kind[:100]}, not text", retryable=False)
    body, truncated = await _body(reply)
    return Page(
        url=str(target),
        status=reply.status_code,
        content_type=kind,
        text=await asyncio.to_thread(body.decode, charset_of(kind), "replace"),
        truncated=truncated,
    )


def check_status(reply: httpx.Response, target: httpx.URL) -> None:
    """Return if the response is a success, and not compressed.

    Raises:
        ToolError: it is not.
    """
    if reply.status_code >= 400:
        retryable = reply.status_code >= 500 or reply.status_code in {408, 429}
        raise ToolError(f"{target} answered {reply.status_code}", retryable=retryable)
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise ToolError(f"{target} came compressed although that was declined", retryable=False)


def charset_of(content_type: str) -> str:
    """Python's name of the charset, if it is one of the web's; otherwise UTF-8.

    Python knows others (`punycode`, `idna`, `zlib`), which take minutes or gigabytes for a page.
    """
    found = _CHARSET.search(content_type[:_MAX_KIND_CHARS])
    name = normalize_encoding(found.group(1).lower()) if found else ""
    name = aliases.get(name, name)
    return name if name in CHARSETS else "utf-8"


async def _body(reply: httpx.Response) -> tuple[bytes, bool]:
    """At most 1 MiB of the body, and whether it was longer."""
    body = bytearray()
    async for chunk in reply.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            return bytes(body[:MAX_BYTES]), True
    return bytes(body), False


def _why(error: Exception) -> str:
    """The error's message or, if it is empty (a time-out), its type's name."""
    return words(error) or name(error)
