"""Stands in for the API: answers 200 to everything on the address that it is told."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


HTTPServer(
    (os.environ["RELAYLINE_API_HOST"], int(os.environ["RELAYLINE_API_PORT"])), _Handler
).serve_forever()
