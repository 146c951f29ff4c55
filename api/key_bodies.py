"""Request bodies about credentials."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from relayline.api.bodies import Body
from relayline.contracts.principals import TENANT_PATTERN, Scope
from relayline.contracts.runs import RUN_ID_PATTERN

_KeyName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
_Scope = Annotated[Scope, Field(strict=False)]


class KeyBody(Body):
    """An API key to make."""

    name: _KeyName
    """Its name in events and logs: who, or what, uses it."""
    scopes: Annotated[tuple[_Scope, ...], Field(min_length=1, max_length=len(Scope), strict=False)]
    """What it may do; only what you may do yourself."""
    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    """When it ends by itself: RFC 3339 with a time zone; never if absent."""
    tenant: str | None = Field(default=None, pattern=TENANT_PATTERN)
    """Whose runs it sees; your own if absent. Another one needs the scope `tenants:admin`."""


class KeyRotation(Body):
    """How a key is replaced."""

    grace_s: float = Field(default=86_400, ge=0, le=30 * 86_400, allow_inf_nan=False)
    """Seconds for which the old key still holds."""


class StreamTokenRequest(Body):
    """The body of `POST /v1/tokens/stream`."""

    run_id: str = Field(pattern=RUN_ID_PATTERN)
    """The run whose events the token reads."""
    ttl_s: int = Field(default=3600, ge=1, le=12 * 3600)
    """Seconds for which it is good; it ends with the credentials that it was taken with, if that is
    earlier."""
