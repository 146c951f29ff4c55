"""How clients authenticate, and tokens for browsers, as clients see them."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict

from relayline.contracts.frozen import Frozen


class _Answer(Frozen):
    model_config = ConfigDict(use_attribute_docstrings=True)


class OidcView(_Answer):
    """Where a person signs in, for a web page."""

    issuer: str
    authorization_endpoint: str | None
    """null until the issuer has answered once, and if it is neither https nor on this machine."""
    token_endpoint: str | None
    """As `authorization_endpoint`."""
    client_id: str
    scope: str
    """What to ask the issuer for, separated by blanks."""


class PrincipalView(_Answer):
    """Who asks, as the credentials prove it."""

    subject: str
    tenant: str | None
    """null: all tenants, while authentication is off."""
    scopes: tuple[str, ...]
    expires_at: datetime | None
    """When the credentials end by themselves; null: never."""


class AuthView(_Answer):
    """How to authenticate, and who asks."""

    modes: tuple[str, ...]
    """`keys`, `oidc`; none while authentication is off."""
    oidc: OidcView | None = None
    """null if no web page can sign in."""
    principal: PrincipalView | None = None
    """null without credentials."""


class StreamToken(_Answer):
    """A token for the events of one run, for `EventSource`."""

    token: str
    """As `access_token` in the URL of the run's events; good for reconnects."""
    run_id: str
    expires_at: datetime
    """When it ends; earlier if the key that it was taken with is revoked."""
