"""The parts of one app that know who asks, and how much everybody may send."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from relayline.api.auth.api_keys import KeyAuthenticator
from relayline.api.auth.audit_list import AuditList, print_row
from relayline.api.auth.jwks import IssuerKeys
from relayline.api.auth.port import Authenticator, Authenticators
from relayline.api.auth.rates import Buckets
from relayline.api.auth.sign_in import SignIn, WebClient
from relayline.api.auth.stream_tokens import PURPOSE, StreamTokens
from relayline.api.auth.trail import Denials
from relayline.api.commands.four_eyes import FourEyes
from relayline.api.errors import ApiError
from relayline.api.keys.admin import KeyAdmin
from relayline.api.runs.views import Views
from relayline.api.signing.parts import Signing
from relayline.api.streams.grants import StreamGrants
from relayline.contracts.access.rates import parse_rates
from relayline.contracts.access.roles import parse_roles
from relayline.journal.access.audit_log import AuditLog
from relayline.journal.access.issuing import KeyIssuer
from relayline.journal.access.secret_ring import SecretRing
from relayline.journal.access.spool import Spool
from relayline.journal.table import Storage
from relayline.runtime.secret import load_secrets
from relayline.runtime.settings import Settings

SPOOL = "audit"
"""In the data folder: rows of the audit log while the database is away."""


@dataclass(frozen=True)
class AccessParts:
    """Created by `services`."""

    authenticators: Authenticators
    key_check: KeyAuthenticator | None
    """None: API keys are not accepted."""
    issuer_keys: IssuerKeys | None
    """None: access tokens of an OpenID provider are not accepted."""
    keys: KeyAdmin
    grants: StreamGrants
    sign_in: SignIn
    buckets: Buckets
    audit: AuditList
    audit_log: AuditLog | None
    """None while authentication is off: nobody is known then."""
    denials: Denials | None
    signing: Signing
    four_eyes: FourEyes

    def denied(self, scope: Scope, error: ApiError) -> None:
        """Note a request without valid credentials."""
        if self.denials:
            self.denials.note(scope, error, None)

    async def close(self) -> None:
        """Stop every task of these parts."""
        if self.audit_log:
            await self.audit_log.close()
        if self.key_check:
            await self.key_check.close()
        if self.issuer_keys:
            await self.issuer_keys.close()


def access_parts(settings: Settings, storage: Storage, views: Views) -> AccessParts:
    """All of them, as the settings say.

    Raises:
        BadSettings: the secret can't be read, or there is none.
    """
    modes = settings.auth_modes
    ring = load_secrets(settings, make=bool(modes))
    signing = Signing.of(ring if modes else SecretRing())
    key_check = KeyAuthenticator(storage.api_keys, ring) if "keys" in modes else None
    issuer_keys = IssuerKeys(settings.oidc_issuer) if "oidc" in modes else None
    streams = _stream_tokens(ring, key_check)
    issuer = KeyIssuer(storage.api_keys, ring, settings.key_environment)
    return AccessParts(
        authenticators=Authenticators(key_check, streams, _oidc(settings, issuer_keys)),
        key_check=key_check,
        issuer_keys=issuer_keys,
        keys=KeyAdmin(storage.api_keys, issuer, signing.cursors),
        grants=StreamGrants(views, streams),
        sign_in=_sign_in(settings, issuer_keys),
        buckets=Buckets(parse_rates(settings.rates), parse_rates(settings.tenant_rates)),
        audit=AuditList(storage.audit),
        audit_log=(audit_log := _audit_log(settings, storage)),
        denials=Denials(audit_log) if audit_log else None,
        signing=signing,
        four_eyes=FourEyes(settings.four_eyes_tenants, storage),
    )


@dataclass(frozen=True)
class CredentialChecks:
    """Who checks each form of credential, for servers beside the API; stream tokens are for it."""

    authenticators: Authenticators
    key_check: KeyAuthenticator | None
    issuer_keys: IssuerKeys | None

    async def close(self) -> None:
        """Stop their tasks."""
        if self.key_check:
            await self.key_check.close()
        if self.issuer_keys:
            await self.issuer_keys.close()


def credential_checks(settings: Settings, storage: Storage) -> CredentialChecks:
    """As the settings say.

    Raises:
        BadSettings: the secret can't be read.
    """
    modes = settings.auth_modes
    ring = load_secrets(settings, make=False)
    keys = KeyAuthenticator(storage.api_keys, ring) if "keys" in modes else None
    issuer = IssuerKeys(settings.oidc_issuer) if "oidc" in modes else None
    tokens = _oidc(settings, issuer)
    return CredentialChecks(Authenticators(keys, None, tokens), keys, issuer)


def _audit_log(settings: Settings, storage: Storage) -> AuditLog | None:
    if not settings.auth_modes:
        return None
    shown = print_row if settings.audit_stdout else None
    return AuditLog(storage.audit, Spool(settings.data_dir / SPOOL), shown)


def _stream_tokens(ring: SecretRing, keys: KeyAuthenticator | None) -> StreamTokens:
    async def none_holds(_: str) -> bool:
        return False

    signing = [key.secret for key in ring.derived(PURPOSE)]
    return StreamTokens(signing, keys.holds if keys else none_holds)


def _oidc(settings: Settings, keys: IssuerKeys | None) -> Authenticator | None:
    if keys is None:
        return None
    from relayline.api.auth.oidc import (  # noqa: PLC0415  its library takes a while to import
        OidcAuthenticator,
        OidcRules,
    )

    rules = OidcRules(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        tenant_claim=settings.oidc_tenant_claim,
        role_claim=settings.oidc_role_claim,
        roles=parse_roles(settings.oidc_roles),
        needs_at_jwt=settings.oidc_require_at_jwt,
    )
    return OidcAuthenticator(rules, keys)


def _sign_in(settings: Settings, keys: IssuerKeys | None) -> SignIn:
    client = None
    if keys is not None and settings.oidc_client_id:
        named = (settings.oidc_issuer, settings.oidc_client_id, settings.oidc_scope)
        client = WebClient(*named, keys)
    return SignIn([*settings.auth_modes], client)
