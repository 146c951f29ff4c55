"""A folder for the file tools, a context for tools that want one, and a web server."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from relayline.activities.tool.toolbox import ToolboxConfig, build_toolbox
from relayline.activities.tool.toolbox.isolation import bubblewrap
from relayline.catalog.tools import Tool


class FakeContext:
    """A `ToolContext` that a test can cancel."""

    run_id = "run_0123456789abcdef"
    call_id = "call_1_0"
    attempt = 1
    idempotency_key = "key"

    def __init__(self, tenant: str = "default") -> None:
        self.tenant = tenant
        self._stop = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def cancel(self) -> None:
        self._stop.set()

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Nobody watches."""


@pytest.fixture
def context() -> FakeContext:
    return FakeContext()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def tools(root: Path) -> dict[str, Tool]:
    """All built-in tools, with nothing listed for `fetch_url`."""
    return named(ToolboxConfig(files_root=root, allow_commands=True))


def named(config: ToolboxConfig) -> dict[str, Tool]:
    return {tool.spec.name: tool for tool in build_toolbox(config)}


@pytest.fixture
def no_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A `bwrap` that fails, as where it may not make namespaces."""
    broken = tmp_path / "bin" / "bwrap"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    bubblewrap.cache_clear()
    yield
    bubblewrap.cache_clear()


Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web server on loopback; what it answers is a dict of path to function."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, str]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.seen.append((self.path, self.headers["Host"]))
                site.answers[self.path](self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def says(
        self, path: str, body: bytes, kind: str = "text/plain", status: int = 200, **headers: str
    ) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Type", kind)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = answer

    def redirects(self, path: str, location: str) -> None:
        self.says(path, b"", status=302, Location=location)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()
