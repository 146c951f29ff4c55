"""A receiver of webhooks on this host: verifies what comes and hands it on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from relayline.console.printable import printable
from relayline.outbound.signature import BadSignature, verify

MAX_BODY_BYTES = 1024 * 1024
"""A delivery is far smaller."""
_HOST = "127.0.0.1"


class Listener(ThreadingHTTPServer):
    """Listens on loopback; answers 204 to what is signed with the secret, 401 to all else."""

    daemon_threads = True

    def __init__(self, port: int, tell: Callable[[str], None]) -> None:
        """Listen, and serve once `serve_forever` is called.

        Args:
            port: 0 takes a free one.
            tell: Called with one line for each request.

        Raises:
            OSError: the port can't be listened on.
        """
        super().__init__((_HOST, port), _Handler)
        self.secret = ""
        self.tell = tell

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{_HOST}:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        """Verify, tell, answer."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        try:
            message_id = verify(self.server.secret, headers, body, time.time())
            line = line_of(message_id, body)
        except (BadSignature, ValueError) as error:
            self.server.tell(f"refused: {error}")
            self._answer(401)
            return
        self.server.tell(line)
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """Say nothing: `tell` has said it."""


def line_of(message_id: str, body: bytes) -> str:
    """What came, in one line.

    Raises:
        ValueError: the body is not a delivery.
    """
    told = json.loads(body)
    if not isinstance(told, dict) or not isinstance(told.get("data"), dict):
        raise ValueError("the body is not a delivery")  # noqa: TRY004  as what JSON raises
    data = json.dumps(told["data"], ensure_ascii=False)
    return printable(f"verified {message_id} {told.get('type')} {data}")
