"""An OpenID provider on loopback: discovery, keys that change, tokens of every kind."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "relayline"
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key of that name; making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """A new key for ES256."""
    return ec.generate_private_key(ec.SECP256R1())


def jwk_of(key: Key, **members: Any) -> dict[str, Any]:
    """The public half as a JWK."""
    if isinstance(key, rsa.RSAPrivateKey):
        return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), **members}
    return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), **members}


class Request(NamedTuple):
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    origin: str


class Answer(NamedTuple):
    """What is answered."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})


class Issuer:
    """Serves its two documents, counts who asks, and signs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.signer: Key = ec_key()
        self.kid = "first"
        self.keys: list[dict[str, Any]] = [jwk_of(self.signer, kid="first", use="sig")]
        self.discovery: dict[str, Any] = {
            "issuer": url,
            "jwks_uri": url + KEYS,
            "authorization_endpoint": url + "/authorize",
            "token_endpoint": url + "/token",
        }
        self.answers: dict[str, bytes] = {}
        """In place of a document."""
        self.is_down = False
        self.asked: Counter[str] = Counter()

    def rotate(self, kid: str, key: Key | None = None, *, keep: bool = True) -> None:
        """Sign with another key; without `keep`, the keys before it are withdrawn."""
        self.signer, self.kid = key or ec_key(), kid
        self.keys = [*(self.keys if keep else []), jwk_of(self.signer, kid=kid, use="sig")]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good token with these changes; None leaves one out."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 600,
            "tenant": "acme",
            "scope": "openid runs:read runs:write",
        }
        return {name: it for name, it in {**good, **changes}.items() if it is not None}

    def token(self, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token, signed with the newest key."""
        algorithm = "RS256" if isinstance(self.signer, rsa.RSAPrivateKey) else "ES256"
        head = {"kid": self.kid, **(headers or {})}
        return jwt.encode(
            self.claims(**changes), self.signer, head.pop("alg", algorithm), headers=head
        )

    def answer(self, asked: Request) -> Answer:
        """What it answers."""
        body = self.body(asked.path)
        return Answer(503 if body is None else 200, body or b"")

    def body(self, path: str) -> bytes | None:
        """What it answers; None for an error."""
        self.asked[path] += 1
        if self.is_down:
            return None
        documents = {DISCOVERY: self.discovery, KEYS: {"keys": self.keys}}
        if path in self.answers:
            return self.answers[path]
        return json.dumps(documents[path]).encode() if path in documents else None


Kind = TypeVar("Kind", bound=Issuer)


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """An issuer that serves until the block ends."""
    with serving(Issuer) as issuer:
        yield issuer


@contextmanager
def serving(kind: type[Kind]) -> Iterator[Kind]:
    """An issuer of that kind, which serves until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            origin, query = self.headers.get("Origin", ""), dict(parse_qsl(parts.query))
            answer = issuer.answer(Request(self.command, parts.path, query, form, origin))
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json", **answer.headers}
            for name, value in {**headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = kind(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def part(value: object) -> str:
    """A part of a token: of bytes, or of JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
