"""Composition root of the codec server: Temporal's Web UI and CLI have payloads decrypted there.

It speaks Temporal's remote codec protocol (https://docs.temporal.io/codec-server) and listens on
loopback only. While authentication is off, whoever reaches it may read every payload that they
have; else holders of the scope `payloads:decode`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

from fastapi import FastAPI
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from temporalio.api.common.v1 import Payload, Payloads

from relayline.api import problems
from relayline.api.access import credential_checks
from relayline.api.auth.bearer import Authenticate
from relayline.api.auth.port import Authenticators
from relayline.api.auth.scopes import check_scope
from relayline.api.errors import BadRequest, InvalidField
from relayline.api.serving.origins import LOOPBACK, CheckOrigin
from relayline.api.serving.server import AddressInUse, BodyLimit, Server, listen_each
from relayline.contracts.principals import ANYBODY, Scope
from relayline.journal.port import JournalUnavailable
from relayline.runtime.payloads.codec import EncryptingCodec
from relayline.runtime.payloads.ring import KeyRing, UnknownPayloadKey
from relayline.runtime.process import build_keyring, opened_journal, run_process
from relayline.runtime.settings import BadSettings, Settings
from relayline.runtime.temporal import TemporalUnreachable, configured_namespace

HOST = "127.0.0.1"
MAX_BYTES = 32 * 1024 * 1024
"""Largest request: a page of a history."""
_ORIGIN = re.compile(r"https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_log = logging.getLogger(__name__)
_Change = Callable[[EncryptingCodec], Callable[[Sequence[Payload]], Awaitable[list[Payload]]]]


class CodecOptions(NamedTuple):
    """Where it listens, and for whom."""

    port: int
    origins: tuple[str, ...] = ()
    """Origins whose pages may use it; without any, that of `RELAYLINE_TEMPORAL_UI`."""


class _Codec:
    """The two routes."""

    def __init__(self, ring: KeyRing, namespace: str) -> None:
        self._ring = ring
        self._namespace = namespace

    async def encode(self, request: Request) -> Response:
        """Encrypt what somebody types in the UI or gives to the CLI."""
        return await self._answer(request, lambda codec: codec.encode)

    async def decode(self, request: Request) -> Response:
        """Decrypt; payloads that are not encrypted, or were changed, come back as they are."""
        return await self._answer(request, lambda codec: codec.decode)

    async def _answer(self, request: Request, change: _Change) -> Response:
        check_scope(request, Scope.PAYLOADS_DECODE)
        namespace = request.headers.get("x-namespace") or self._namespace
        try:
            given = Parse(await request.body(), Payloads())
        except (ParseError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(
                'body: send {"payloads": […]}, as Temporal\'s codec protocol has it', field="body"
            ) from error
        try:
            changed = await change(EncryptingCodec(self._ring, namespace))(given.payloads)
        except UnknownPayloadKey as error:
            raise InvalidField(f"payloads: {error}", field="payloads") from error
        text = MessageToJson(Payloads(payloads=changed), indent=None)
        return Response(text, media_type="application/json")


def create_app(
    ring: KeyRing,
    namespace: str,
    origins: Sequence[str] = (),
    authenticators: Authenticators | None = None,
) -> FastAPI:
    """The server's app.

    Args:
        ring: The keys, at least one.
        namespace: For requests that do not name theirs in `X-Namespace`.
        origins: Origins whose pages may use it.
        authenticators: Who checks credentials; None: whoever reaches it may use it.
    """
    app = FastAPI(
        telemetry={"tracing": False, "metrics": False, "logs": False},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    codec = _Codec(ring, namespace)
    app.add_route("/encode", codec.encode, methods=["POST"])
    app.add_route("/decode", codec.decode, methods=["POST"])
    app.state.everybody = None if authenticators else ANYBODY
    app.add_middleware(BodyLimit, max_bytes=MAX_BYTES)
    if authenticators:
        app.add_middleware(Authenticate, authenticators=authenticators)
    app.add_middleware(
        CORSMiddleware, allow_origins=origins, allow_methods=("POST",), allow_headers=("*",)
    )
    listed = frozenset(origins)
    app.add_middleware(CheckOrigin, hosts=frozenset(LOOPBACK), origins=listed, listed_by="--origin")
    return app


async def serve(settings: Settings, options: CodecOptions) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        AddressInUse: the port can't be listened on.
        BadSettings: there is no key, or an origin is none.
        JournalUnavailable: authentication is on, and the journal, which has the API keys, is away.
        TemporalUnreachable: Temporal's configuration, which names the namespace, can't be read.
    """
    ring = build_keyring(settings)
    if not ring.ids:
        raise BadSettings("RELAYLINE_PAYLOAD_KEYS is not set: there is nothing to decrypt with")
    origins = [*map(_checked, options.origins or _origin_of(settings.temporal_ui))]
    [listener] = listen_each(HOST, options.port, 1)
    with listener:
        async with _authenticators(settings) as authenticators:
            app = create_app(ring, configured_namespace(), origins, authenticators)
            told = {
                "host": HOST,
                "port": listener.getsockname()[1],
                "origins": ",".join(origins),
                "keys": ",".join(ring.ids),
            }
            who = Scope.PAYLOADS_DECODE if authenticators else "whoever reaches this port"
            _log.info("listening", extra=told | {"decrypts_for": str(who)})
            await Server(app, _no_streams).serve([listener])


@asynccontextmanager
async def _authenticators(settings: Settings) -> AsyncIterator[Authenticators | None]:
    """Who checks credentials, until the block ends; None while authentication is off."""
    if not settings.auth_modes:
        yield None
        return
    async with opened_journal(settings) as journal:
        checks = credential_checks(settings, journal)
        try:
            yield checks.authenticators
        finally:
            await checks.close()


def _origin_of(url: str) -> tuple[str, ...]:
    """Of the Web UI; none if that is not known."""
    parts = urlsplit(url)
    return (f"{parts.scheme}://{parts.netloc}",) if parts.netloc else ()


def _checked(origin: str) -> str:
    if not _ORIGIN.fullmatch(lower := origin.lower()):
        raise BadSettings(f"{origin!r} is no origin: write https://NAME or https://NAME:PORT")
    return lower


async def _no_streams() -> None:
    """It has none to close."""


def main(options: CodecOptions) -> None:
    """Run it with the settings of the environment; exit 1 with one line on bad ones."""
    expected = (AddressInUse, JournalUnavailable, TemporalUnreachable)
    run_process("codec-server", partial(serve, options=options), *expected)
