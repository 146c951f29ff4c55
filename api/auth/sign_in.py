"""How clients authenticate here, told to whoever asks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from relayline.api.auth.jwks import IssuerKeys, may_fetch
from relayline.contracts.access.credentials import AuthView, OidcView, PrincipalView
from relayline.contracts.principals import Principal

_PLAIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:[/?][\x21-\x7e]*)?")
"""A URL whose host can't end a directive of a policy, nor name whom it connects to."""


@dataclass(frozen=True)
class WebClient:
    """The issuer's public client with which people sign in on a web page."""

    issuer: str
    client_id: str
    scope: str
    keys: IssuerKeys
    """They know the issuer's endpoints."""


class SignIn:
    """Tells how to authenticate."""

    def __init__(self, modes: Sequence[str], client: WebClient | None = None) -> None:
        self._modes = tuple(sorted(modes))
        self._client = client

    async def view(self, principal: Principal | None) -> AuthView:
        """The modes, where people sign in, and who asks; None: nobody has said."""
        return AuthView(
            modes=self._modes,
            oidc=await _oidc(self._client) if self._client else None,
            principal=_view(principal) if principal else None,
        )

    async def token_origin(self) -> str | None:
        """The origin where a page of ours asks for tokens; None if people can't sign in there."""
        found = await _oidc(self._client) if self._client else None
        if found is None or found.token_endpoint is None:
            return None
        parts = urlsplit(found.token_endpoint)
        return f"{parts.scheme}://{parts.netloc}"


async def _oidc(client: WebClient) -> OidcView:
    found = await client.keys.discovery()
    return OidcView(
        issuer=client.issuer,
        authorization_endpoint=_safe(found.authorization_endpoint) if found else None,
        token_endpoint=_safe(found.token_endpoint) if found else None,
        client_id=client.client_id,
        scope=client.scope,
    )


def _safe(url: str | None) -> str | None:
    """The URL, if a code and a token may travel there, and it can stand in a policy."""
    return url if url and may_fetch(url) and _PLAIN.fullmatch(url) else None


def _view(principal: Principal) -> PrincipalView:
    return PrincipalView(
        subject=principal.subject,
        tenant=principal.tenant,
        scopes=tuple(sorted(principal.scopes)),
        expires_at=principal.expires_at,
    )
