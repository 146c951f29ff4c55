"""Access tokens of an OpenID Connect issuer: verified, never issued; nobody logs in here."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import jwt

from relayline.api.auth.jwks import IssuerKeys, IssuerUnavailable
from relayline.api.auth.port import Forbidden, KeysUnavailable, Unauthenticated
from relayline.contracts.principals import TENANT_PATTERN, Principal, Scope

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Asymmetric ones only: what verifies a token can't make one."""
LEEWAY_S = 30
"""How far the clocks of issuer and API may be apart."""
REQUIRED = ("exp", "iat", "sub", "aud", "iss")
MAX_TOKEN_CHARS = 16 * 1024
MAX_SUBJECT_CHARS = 255
KEPT = 2048
"""Verified tokens that are remembered, so that a client's next request costs a hash."""
_AT_JWT = ("at+jwt", "application/at+jwt")
"""RFC 9068, section 2.1."""
_JWT = (*_AT_JWT, "jwt", "application/jwt", None)
_TENANT = re.compile(TENANT_PATTERN)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_TELL_EVERY_S = 1.0
_INVALID = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""What a token can make PyJWT raise: a number without bounds, JSON that is nested too deeply."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OidcRules:
    """What a token must be, and how its claims become a principal."""

    issuer: str
    audience: str
    tenant_claim: str = "tenant"
    role_claim: str = "roles"
    roles: Mapping[str, frozenset[Scope]] = field(default_factory=dict)
    """Scopes by role. Empty: the claims `scope` and `scp` have the scopes themselves."""
    needs_at_jwt: bool = False
    """True: the header must say `typ: at+jwt`, so that no ID token passes."""


class _Verified(NamedTuple):
    principal: Principal
    until: float
    generation: int


class OidcAuthenticator:
    """Makes a principal of an access token. For one event loop."""

    def __init__(self, rules: OidcRules, keys: IssuerKeys) -> None:
        self._rules = rules
        self._keys = keys
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._told_at = -_TELL_EVERY_S

    async def principal(self, credential: str) -> Principal:
        """The principal that the token proves.

        Raises:
            Unauthenticated: it is no valid token of this issuer for this API. All reasons are told
                in the same words; the log has the reason.
            Forbidden: it is valid and names no tenant.
            KeysUnavailable: its key is unknown, and the issuer does not answer.
        """
        self._keys.stay_fresh()
        digest = hashlib.sha256(credential.encode("utf-8", "replace")).digest()
        known = self._verified.get(digest)
        if known and known.generation == self._keys.generation and time.time() < known.until:
            return known.principal
        try:
            claims = await self._claims(credential)
            principal = self._principal(claims)
        except IssuerUnavailable as error:
            raise KeysUnavailable("the issuer of the token does not answer") from error
        except _INVALID as error:
            self._tell(error)
            raise Unauthenticated from None
        until = principal.expires_at.timestamp() if principal.expires_at else 0.0
        self._verified[digest] = _Verified(principal, until, self._keys.generation)
        if len(self._verified) > KEPT:
            self._verified.popitem(last=False)
        return principal

    async def _claims(self, credential: str) -> dict[str, Any]:
        """The verified claims.

        Raises:
            _INVALID: a claim, the signature or the form is not what it must be.
            IssuerUnavailable: as in `IssuerKeys.key`.
        """
        if len(credential) > MAX_TOKEN_CHARS:
            raise ValueError("the token is too long")
        header = jwt.get_unverified_header(credential)
        algorithm, kind = header.get("alg"), header.get("typ")
        if algorithm not in ALGORITHMS:
            raise ValueError("alg")
        kind = kind.lower() if isinstance(kind, str) else kind
        if kind not in (_AT_JWT if self._rules.needs_at_jwt else _JWT):
            raise ValueError("typ")
        key = await self._keys.key(header.get("kid"), algorithm)
        if key is None:
            raise ValueError("kid")
        claims: dict[str, Any] = jwt.decode(
            credential,
            key,
            algorithms=[algorithm],
            audience=self._rules.audience,
            issuer=self._rules.issuer,
            leeway=LEEWAY_S,
            options={"require": [*REQUIRED]},
        )
        return claims

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        """The principal of verified claims.

        Raises:
            ValueError: the subject is no name.
            Forbidden: they have no tenant.
        """
        subject = claims["sub"]
        if not 0 < len(subject) <= MAX_SUBJECT_CHARS or not subject.isprintable():
            raise ValueError("sub")
        name = self._rules.tenant_claim
        tenant = _claim(claims, name)
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise Forbidden(f"the token names no tenant: its claim {name!r} must be one")
        expires = min(float(claims["exp"]), _NEVER)
        return Principal(
            subject=subject,
            tenant=tenant,
            scopes=self._scopes(claims),
            via="oidc",
            expires_at=datetime.fromtimestamp(expires, UTC),
        )

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        """The scopes of its roles, or those that it has itself; unknown ones count nothing."""
        roles = self._rules.roles
        if roles:
            named = _words(_claim(claims, self._rules.role_claim))
            return frozenset[Scope]().union(*(roles[role] for role in named if role in roles))
        given = {*_words(claims.get("scope")), *_words(claims.get("scp"))}
        return frozenset(scope for scope in Scope if scope in given)

    def _tell(self, error: Exception) -> None:
        """Log why a token was refused; a flood of them is told of once a second."""
        now = time.monotonic()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            reason = str(error)[:80] if type(error) is ValueError else type(error).__name__
            _log.info("a token was refused", extra={"reason": reason})


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """The claim with that name; else the one at that path: `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def _words(value: object) -> list[str]:
    """The words of a text, or the texts of a list."""
    if isinstance(value, str):
        return value.split()
    return [it for it in value if isinstance(it, str)] if isinstance(value, list) else []
