"""Tokens for one run's events, for browsers: an `EventSource` sends no header, but its URL can."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from relayline.api.auth.port import STREAM_PREFIX, Unauthenticated
from relayline.contracts.principals import Principal, Scope

PURPOSE = "stream tokens 1"
"""What the keys are derived for."""
_SCOPES = frozenset({Scope.RUNS_READ})

KeyHolds = Callable[[str], Awaitable[bool]]


class _Claims(BaseModel):
    """What is signed; short names, because it stands in URLs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    sub: str
    tenant: str | None
    key: str | None
    exp: int


class Issued(NamedTuple):
    """A new token."""

    token: str
    expires_at: datetime


class StreamTokens:
    """Issues and reads them; every process with the same keys can do both."""

    def __init__(self, keys: Sequence[bytes], key_holds: KeyHolds) -> None:
        """Sign with the first key; each of them verifies.

        Args:
            keys: Derived for `PURPOSE`; without any, nothing is signed.
            key_holds: Whether an API key is still valid; cheap when it is repeated.
        """
        self._keys = tuple(keys)
        self._key_holds = key_holds

    @property
    def can_sign(self) -> bool:
        """False if there is no key to sign with."""
        return bool(self._keys)

    def issue(self, principal: Principal, run_id: str, ttl_s: int) -> Issued:
        """A token for that run's events, with the tenant and the key of the principal.

        It ends with the credentials that it was issued for, if they end earlier.
        """
        until = int(time.time()) + ttl_s
        if principal.expires_at is not None:
            until = min(until, int(principal.expires_at.timestamp()))
        claims = _Claims(
            run=run_id,
            sub=principal.subject,
            tenant=principal.tenant,
            key=principal.key_id,
            exp=until,
        )
        signed = _text(claims.model_dump_json().encode())
        token = f"{STREAM_PREFIX}{signed}.{_text(_mac(self._keys[0], signed))}"
        return Issued(token, datetime.fromtimestamp(until, UTC))

    async def principal(self, credential: str) -> Principal:
        """Whoever took the token, with the right to read its run.

        Raises:
            Unauthenticated: it is not ours or has ended, or its API key is not valid any more.
            KeysUnavailable: whether its key is valid can't be said now.
        """
        claims = self._claims(credential)
        if claims.exp <= time.time():
            raise Unauthenticated
        if claims.key is not None and not await self._key_holds(claims.key):
            raise Unauthenticated
        return Principal(
            subject=claims.sub,
            tenant=claims.tenant,
            scopes=_SCOPES,
            via="stream",
            key_id=claims.key,
            expires_at=datetime.fromtimestamp(claims.exp, UTC),
            run_id=claims.run,
        )

    def _claims(self, credential: str) -> _Claims:
        signed, _, mac = credential.removeprefix(STREAM_PREFIX).partition(".")
        try:
            given = _bytes(mac)
            known = [hmac.compare_digest(_mac(key, signed), given) for key in self._keys]
            if not any(known):
                raise Unauthenticated
            return _Claims.model_validate_json(_bytes(signed))
        except ValueError:  # pydantic's, too
            raise Unauthenticated from None


def _mac(key: bytes, signed: str) -> bytes:
    return hmac.digest(key, signed.encode("utf-8", "replace"), "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """As `_text` wrote them.

    Raises:
        ValueError: it has not.
    """
    try:
        return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
