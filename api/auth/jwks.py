"""The public keys of an issuer: found by discovery, fetched rarely, kept through an outage."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from jwt import PyJWK

MIN_PAUSE_S = 30.0
"""The least time between two fetches, however many tokens with unknown keys come."""
FIRST_PAUSE_S = 2.0
"""The same until the first fetch has succeeded."""
MAX_AGE_S = 300.0
"""The age at which keys are fetched again, so that one that the issuer has withdrawn is forgotten.
"""
PATIENCE_S = 5.0
"""For both documents together."""
MAX_BYTES = 1024 * 1024
MAX_KEYS = 100
MIN_RSA_BITS = 2048
_WELL_KNOWN = "/.well-known/openid-configuration"
_PUBLIC = ("kty", "n", "e", "crv", "x", "y")
"""The members of a key that are public, and all that is needed."""
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_log = logging.getLogger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]


class IssuerUnavailable(Exception):
    """The issuer's keys can't be fetched, so nothing can be said about a token."""


class Discovery(BaseModel):
    """What is used of the issuer's discovery document (OpenID Connect Discovery 1.0, section 3)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None


class _KeySet(BaseModel):
    model_config = ConfigDict(extra="ignore")

    keys: list[dict[str, Any]] = Field(max_length=MAX_KEYS)


class IssuerKeys:
    """The keys of one issuer.

    The last good set is used for as long as the issuer does not answer. For one event loop.
    """

    def __init__(
        self,
        issuer: str,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know no key yet; the first use fetches.

        Args:
            issuer: As tokens name it.
            fetch: Gets the body of a URL; the default does it by HTTP.
            clock: Seconds.
        """
        self._issuer = issuer
        self._fetch = fetch or fetched
        self._clock = clock
        self._discovery: Discovery | None = None
        self._listed: Sequence[Mapping[str, Any]] = ()
        self._built: dict[tuple[str | None, str], PyJWK] = {}
        self._asked_at: float | None = None
        self._has_failed = False
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0
        """Changes whenever the issuer has other keys than before."""

    async def key(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """The key with that id for that algorithm; None if the issuer has none.

        Without an id, the only one for the algorithm.

        Raises:
            IssuerUnavailable: it is not among those known, and the issuer does not answer.
        """
        self.stay_fresh()
        if found := self._find(kid, algorithm):
            return found
        await self._refreshed()
        found = self._find(kid, algorithm)
        if found is None and self._has_failed:
            raise IssuerUnavailable
        return found

    async def discovery(self) -> Discovery | None:
        """The newest discovery document; None if the issuer has never answered."""
        self.stay_fresh()
        if self._discovery is None:
            await self._refreshed()
        return self._discovery

    def stay_fresh(self) -> None:
        """Fetch the keys again if they are old; waits for nothing."""
        if self._asked_at is not None and self._clock() - self._asked_at >= MAX_AGE_S:
            self._start()

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _refreshed(self) -> None:
        """Fetch, unless the last fetch was a moment ago; all who ask meanwhile share one."""
        pause = MIN_PAUSE_S if self._discovery else FIRST_PAUSE_S
        if self._asked_at is None or self._clock() - self._asked_at >= pause:
            self._start()
        if self._fetching is not None:
            await asyncio.shield(self._fetching)

    def _start(self) -> None:
        if self._fetching is None:
            self._asked_at = self._clock()
            self._fetching = asyncio.create_task(self._renew(), name="fetch the issuer's keys")

    async def _renew(self) -> None:
        """Fetch discovery document and keys; what is there stays if that fails."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                discovery = await self._discovered()
                body = await self._fetch(_checked(discovery.jwks_uri))
            listed = [_public(key) for key in _KeySet.model_validate_json(body).keys if _fit(key)]
        except (OSError, ValueError) as error:  # a TimeoutError is an OSError
            self._has_failed = True
            why = {"issuer": self._issuer, "reason": _reason(error)}
            _log.warning("the issuer's keys can't be fetched", extra=why)
            return
        finally:
            self._fetching = None
        self._has_failed = False
        self._discovery = discovery
        if listed != self._listed:
            self._listed, self._built = listed, {}
            self.generation += 1

    async def _discovered(self) -> Discovery:
        body = await self._fetch(self._issuer.rstrip("/") + _WELL_KNOWN)
        discovery = Discovery.model_validate_json(body)
        if discovery.issuer != self._issuer:  # section 4.3
            raise ValueError(f"the document is that of {discovery.issuer[:200]!r}")
        return discovery

    def _find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        if built := self._built.get((kid, algorithm)):
            return built
        found = [
            key
            for key in self._listed
            if (kid is None or key.get("kid") == kid) and _suits(key, algorithm)
        ]
        if not found or (kid is None and len(found) > 1):
            return None
        if (made := _build(found[0], algorithm)) is not None:
            self._built[kid, algorithm] = made
        return made


def _fit(key: Mapping[str, Any]) -> bool:
    """True for a public key that may verify signatures."""
    operations = key.get("key_ops")
    return key.get("use") in (None, "sig") and (
        not isinstance(operations, list) or "verify" in operations
    )


def _public(key: Mapping[str, Any]) -> dict[str, Any]:
    return {name: key[name] for name in (*_PUBLIC, "kid", "alg") if name in key}


def _suits(key: Mapping[str, Any], algorithm: str) -> bool:
    """True if the key is of the kind that the algorithm needs, and meant for no other."""
    if key.get("alg") not in (None, algorithm):
        return False
    if curve := _CURVES.get(algorithm):
        return (key.get("kty"), key.get("crv")) == ("EC", curve)
    return bool(key.get("kty") == ("OKP" if algorithm == "EdDSA" else "RSA"))


def _build(key: Mapping[str, Any], algorithm: str) -> PyJWK | None:
    """The key, ready to verify; None if it is malformed or too short."""
    from jwt import PyJWK, PyJWTError  # noqa: PLC0415  takes a while, and few installations use it

    try:
        made = PyJWK({name: key[name] for name in _PUBLIC if name in key}, algorithm)
    except (PyJWTError, ValueError, TypeError) as error:
        _log.warning("a key of the issuer can't be used", extra={"reason": str(error)[:200]})
        return None
    bits = getattr(made.key, "key_size", None)
    if key["kty"] == "RSA" and (bits is None or bits < MIN_RSA_BITS):
        _log.warning("a key of the issuer is too short", extra={"bits": bits})
        return None
    return made


def _checked(url: str) -> str:
    """The URL, if keys may be fetched from it.

    Raises:
        ValueError: it is not https, nor http to this machine.
    """
    if not may_fetch(url):
        raise ValueError(f"jwks_uri: {url[:200]!r} is not https")
    return url


def may_fetch(url: str) -> bool:
    """True for https, and for http to this machine, which nobody can change on the way."""
    parts = urlsplit(url)
    local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"it sent something else than {error.title}"
    return f"{type(error).__name__}: {error}"[:300]


async def fetched(url: str) -> bytes:
    """The body of the answer with status 200; no redirects, at most `MAX_BYTES`.

    Raises:
        OSError: there is no connection.
        ValueError: there is another answer.
    """
    import httpx  # noqa: PLC0415  takes a while, and few installations use it

    body = bytearray()
    try:
        async with (
            httpx.AsyncClient(timeout=PATIENCE_S, follow_redirects=False) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"{url[:200]} answered {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError(f"{url[:200]} sent more than {MAX_BYTES} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(f"{url[:200]}: {error or type(error).__name__}") from error
    return bytes(body)
