"""The port to whatever proves who asks, and its errors.

ApiError
├── Unauthenticated   no credential, or one that does not hold; never says why
├── Forbidden         the principal lacks a scope, which is named, or a tenant
└── KeysUnavailable   the store of API keys does not answer, and this key was not seen lately
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from relayline.api.errors import RETRY_AFTER, ApiError
from relayline.contracts.principals import Principal, Scope

KEY_PREFIX = "rl_"
"""Begins an API key."""
STREAM_PREFIX = "rs_"
"""Begins a stream token, which opens the events of one run; anything else is a JWT."""


class Unauthenticated(ApiError):
    """No credential, or one that does not hold.

    The answer is the same for an unknown, a revoked, an expired and a foreign one.
    """

    status = 401
    slug = "unauthenticated"
    title = "The request has no valid credentials"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}

    def __init__(self, detail: str = "the credentials are not valid") -> None:
        super().__init__(detail)


class Forbidden(ApiError):
    """The principal may not do this; `scope` names the scope that it lacks, if it is one."""

    status = 403
    slug = "forbidden"
    title = "The credentials do not allow this"

    @classmethod
    def lacks(cls, scope: Scope) -> Forbidden:
        """The error for a missing scope."""
        return cls(f"the scope {scope.value} is missing", scope=scope.value)


class KeysUnavailable(ApiError):
    """The store of API keys does not answer; a key that was seen valid lately still holds."""

    status = 503
    slug = "keys-unavailable"
    title = "API keys can't be checked"
    headers = RETRY_AFTER


class Authenticator(Protocol):
    """Proves who asks by one form of credential."""

    async def principal(self, credential: str) -> Principal:
        """Who asks.

        Open streams ask again with the credential that they were opened with, every 30 s: an
        answer must therefore be cheap when it is repeated, and `Unauthenticated` once the
        credential has expired or was revoked.

        Args:
            credential: The bearer token as it was sent.

        Raises:
            Unauthenticated: it does not hold.
            Forbidden: it holds, and something that it must say is missing, such as the tenant; the
                message names it.
            KeysUnavailable: it can't be checked now; try again.
        """
        ...


@dataclass(frozen=True)
class Authenticators:
    """Who checks each form of credential; None: that form is not accepted."""

    keys: Authenticator | None = None
    """API keys, `rl_…`."""
    streams: Authenticator | None = None
    """Stream tokens, `rs_…`: their principal has `via="stream"` and the `run_id` that it may see.
    """
    tokens: Authenticator | None = None
    """Everything else: access tokens (JWT) of an OpenID provider."""

    def of(self, credential: str) -> Authenticator | None:
        """Who checks this one."""
        if credential.startswith(KEY_PREFIX):
            return self.keys
        if credential.startswith(STREAM_PREFIX):
            return self.streams
        return self.tokens
