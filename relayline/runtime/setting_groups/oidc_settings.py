"""The settings of an OpenID provider, a part of `Settings`."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from relayline.contracts.access.roles import parse_roles
from relayline.runtime.setting_groups.access_settings import AccessSettings

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class OidcSettings(AccessSettings):
    """Whose access tokens are accepted, and what their claims mean."""

    oidc_issuer: str = ""
    """Issuer of access tokens, exactly as `iss` in them says, such as
    `https://login.example.com/realms/team`; its discovery document tells where its keys are."""
    oidc_audience: str = ""
    """What `aud` of an access token must have: the name of this API at the issuer."""
    oidc_tenant_claim: str = Field(default="tenant", min_length=1)
    """Claim that names the tenant, also as a path (`org.id`); a token without it is refused."""
    oidc_role_claim: str = Field(default="roles", min_length=1)
    """Claim with the roles of `RELAYLINE_OIDC_ROLES`, also as a path (`realm_access.roles`)."""
    oidc_roles: str = ""
    """Scopes by role, `viewer=runs:read agents:read,admin=*`: the roles of a token then decide
    alone. Empty: its claims `scope` and `scp` have the scopes themselves."""
    oidc_require_at_jwt: bool = False
    """Whether the header of a token must say `typ: at+jwt`, so that no ID token is taken for an
    access token; set it if the issuer sends that."""
    oidc_client_id: str = ""
    """Public client at the issuer with which people sign in on a web page, as `GET /v1/auth` tells;
    empty: they can't."""
    oidc_scope: str = "openid"
    """What such a client asks the issuer for, separated by blanks."""

    @field_validator("oidc_issuer")
    @classmethod
    def _check_issuer(cls, url: str) -> str:
        parts = urlsplit(url)
        local = parts.scheme == "http" and parts.hostname in _LOCAL
        plain = parts.hostname and not (parts.query or parts.fragment or parts.username)
        if url and not (plain and (parts.scheme == "https" or local)):
            raise ValueError("write https://NAME/PATH; http only to this machine")
        return url

    @field_validator("oidc_roles")
    @classmethod
    def _check_roles(cls, text: str) -> str:
        parse_roles(text)
        return text

    @model_validator(mode="after")
    def _check_complete(self) -> Self:
        if "oidc" in self.auth_modes and not (self.oidc_issuer and self.oidc_audience):
            raise ValueError(
                f"RELAYLINE_AUTH is {self.auth}: set RELAYLINE_OIDC_ISSUER and "
                "RELAYLINE_OIDC_AUDIENCE, too"
            )
        return self
