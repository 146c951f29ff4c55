"""`fetch_url` against a real server on loopback, which counts as private unless listed."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from relayline.activities.tool.toolbox import ToolboxConfig
from relayline.activities.tool.toolbox.web import CHARSETS, MAX_BYTES, Page
from relayline.catalog.tools import ToolError
from tests.activities.tool.toolbox.conftest import Site, named

Fetch = Callable[[str], Awaitable[Page]]


def fetcher(root: Path, *allowed: str) -> Fetch:
    function: Any = named(ToolboxConfig(files_root=root, fetch_allow=allowed))["fetch_url"].function
    return lambda url: function(url=url)


@pytest.fixture
def fetch(root: Path, site: Site) -> Fetch:
    """Fetches, with the site's `localhost:port` listed and nothing else."""
    return fetcher(root, f"localhost:{site.port}")


async def test_a_page_is_fetched_with_its_own_host_name(site: Site, fetch: Fetch) -> None:
    site.says("/a?q=1", "grüß".encode("latin-1"), "text/plain; charset=latin-1")
    url = f"http://localhost:{site.port}/a?q=1"
    page = await fetch(url)
    assert (page["text"], page["status"], page["url"]) == ("grüß", 200, url)
    assert not page["truncated"]
    assert site.seen == [("/a?q=1", f"localhost:{site.port}")]


async def test_a_loopback_server_is_not_asked_unless_listed(site: Site, root: Path) -> None:
    site.says("/", b"secret")
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"):
        with pytest.raises(ToolError, match="not a public address"):
            await fetcher(root)(f"http://{host}:{site.port}/")
    assert site.seen == []


async def test_redirects_are_followed_relative_ones_too(site: Site, fetch: Fetch) -> None:
    site.redirects("/1", "/2")
    site.redirects("/2", f"http://localhost:{site.port}/3")
    site.says("/3", b"here")
    page = await fetch(f"http://localhost:{site.port}/1")
    assert page["text"] == "here"
    assert page["url"] == f"http://localhost:{site.port}/3"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://127.0.0.1:{port}/secret", "not a public address"),
        ("http://169.254.169.254/latest/meta-data", "not a public address"),
        ("http://localhost:1/", "not a public address"),
        ("//10.0.0.1/", "not a public address"),
        ("file:///etc/passwd", "not an http or https URL"),
        ("http://user:pw@localhost:{port}/secret", "user name"),
        ("http://[zz]/", "Invalid IPv6"),
    ],
)
async def test_each_redirect_is_checked_like_the_first_address(
    site: Site, fetch: Fetch, location: str, said: str
) -> None:
    site.redirects("/", location.format(port=site.port))
    site.says("/secret", b"secret")
    with pytest.raises(ToolError, match=said):
        await fetch(f"http://localhost:{site.port}/")
    assert [path for path, _ in site.seen] == ["/"]


async def test_endless_redirects_end(site: Site, fetch: Fetch) -> None:
    site.redirects("/", "/")
    with pytest.raises(ToolError, match="more than 5 times"):
        await fetch(f"http://localhost:{site.port}/")
    assert len(site.seen) == 6


@pytest.mark.parametrize(
    "url",
    ["", "README.md", "ftp://a.example/", "http://", "https:///x", "http://[zz]/", "http://a:b/"],
)
async def test_what_is_no_web_address_is_refused(root: Path, url: str) -> None:
    with pytest.raises(ToolError) as refusal:
        await fetcher(root)(url)
    assert not refusal.value.retryable


async def test_an_endless_page_is_cut_at_one_mebibyte(site: Site, fetch: Fetch) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65_536)
        except OSError:
            return

    site.answers["/"] = endless
    page = await fetch(f"http://localhost:{site.port}/")
    assert page["truncated"]
    assert len(page["text"]) == MAX_BYTES


@pytest.mark.parametrize(
    ("status", "retryable"), [(404, False), (403, False), (429, True), (503, True)]
)
async def test_an_error_status_fails_and_says_whether_to_try_again(
    site: Site, fetch: Fetch, status: int, retryable: bool
) -> None:
    site.says("/", b"no", status=status)
    with pytest.raises(ToolError, match=f"answered {status}") as refusal:
        await fetch(f"http://localhost:{site.port}/")
    assert refusal.value.retryable is retryable


async def test_what_is_not_text_or_comes_compressed_is_refused(site: Site, fetch: Fetch) -> None:
    site.says("/image", b"\x89PNG", "image/png")
    site.says("/zip", b"\x1f\x8b", "text/plain", Content_Encoding="gzip")
    site.says("/feed", b"<a/>", "application/atom+xml")
    with pytest.raises(ToolError, match="image/png"):
        await fetch(f"http://localhost:{site.port}/image")
    with pytest.raises(ToolError, match="compressed"):
        await fetch(f"http://localhost:{site.port}/zip")
    assert (await fetch(f"http://localhost:{site.port}/feed"))["text"] == "<a/>"


async def test_a_closed_port_and_a_broken_answer_are_worth_another_try(
    root: Path, site: Site, fetch: Fetch
) -> None:
    with pytest.raises(ToolError, match="can't be reached") as refusal:
        await fetcher(root, "localhost")("http://localhost:1/")
    assert refusal.value.retryable

    def nonsense(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"nonsense\r\n\r\n")

    site.answers["/"] = nonsense
    with pytest.raises(ToolError, match="did not answer") as refusal:
        await fetch(f"http://localhost:{site.port}/")
    assert refusal.value.retryable


async def test_a_server_that_is_always_about_to_answer_is_given_up(root: Path) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(OSError):
            while True:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(flood, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ToolError, match="sent more than is read"):
            await fetcher(root, f"localhost:{port}")(f"http://localhost:{port}/")


async def test_cancelling_a_fetch_closes_its_connection(site: Site, fetch: Fetch) -> None:
    closed: list[float] = []

    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b".")
                time.sleep(0.01)
        except OSError:
            closed.append(time.monotonic())

    site.answers["/"] = slow
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await fetch(f"http://localhost:{site.port}/")
    async with asyncio.timeout(30):
        while not closed:
            await asyncio.sleep(0.02)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for `localhost` that nobody has signed, and its key."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    options = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out"]
    subprocess.run(["openssl", *options, *names, str(certificate)], check=True, capture_output=True)
    return certificate, key


async def test_https_checks_the_certificate_for_the_name_in_the_url(
    site: Site, fetch: Fetch, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    site.says("/", b"safe")
    url = f"https://localhost:{site.port}/"
    with pytest.raises(ToolError, match="certificate"):
        await fetch(url)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert (await fetch(url))["text"] == "safe"
    assert asked[-1] == "localhost"


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("windows-1252", "grün: 5 €"),
        ('"Shift_JIS"', "日本"),
        ("utf-16", "grün"),
        ("KOI8-R", "да"),
        ("utf8", "grün"),
    ],
)
async def test_a_page_is_read_in_its_charset(
    site: Site, fetch: Fetch, charset: str, text: str
) -> None:
    site.says("/", text.encode(charset.strip('"')), f"text/html; charset={charset}")
    assert (await fetch(f"http://localhost:{site.port}/"))["text"] == text


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "zlib", "bz2", "utf-7", "unicode_escape", "made-up", ""]
)
async def test_a_charset_that_no_page_needs_is_taken_for_utf_8(
    site: Site, fetch: Fetch, charset: str
) -> None:
    body = "grün-".encode() * 20_000
    site.says("/", body + b"\xff", f"text/plain; charset={charset}")
    begin = time.thread_time()
    page = await fetch(f"http://localhost:{site.port}/")
    assert page["text"] == body.decode() + "\N{REPLACEMENT CHARACTER}"
    assert time.thread_time() - begin < 1


def test_every_charset_in_the_list_takes_time_proportional_to_the_page() -> None:
    for charset in sorted(CHARSETS):
        for page in (b"\x1b" * 200_000, b"a-\xff\x00" * 50_000):
            begin = time.thread_time()
            page.decode(charset, "replace")
            assert time.thread_time() - begin < 0.5, charset
