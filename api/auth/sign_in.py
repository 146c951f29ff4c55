"""How clients authenticate here, told to whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relayline.api.auth.jwks import IssuerKeys
from relayline.contracts.access.credentials import AuthView, OidcView, PrincipalView
from relayline.contracts.principals import Principal


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


async def _oidc(client: WebClient) -> OidcView:
    found = await client.keys.discovery()
    return OidcView(
        issuer=client.issuer,
        authorization_endpoint=found.authorization_endpoint if found else None,
        token_endpoint=found.token_endpoint if found else None,
        client_id=client.client_id,
        scope=client.scope,
    )


def _view(principal: Principal) -> PrincipalView:
    return PrincipalView(
        subject=principal.subject,
        tenant=principal.tenant,
        scopes=tuple(sorted(principal.scopes)),
        expires_at=principal.expires_at,
    )
