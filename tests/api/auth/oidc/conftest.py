"""An issuer, and what verifies its tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from relayline.api.auth.jwks import IssuerKeys
from relayline.api.auth.oidc import OidcAuthenticator, OidcRules
from tests.api.auth.oidc.issuer import AUDIENCE, Clock, Issuer, running_issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(issuer: Issuer, clock: Clock) -> AsyncIterator[IssuerKeys]:
    made = IssuerKeys(issuer.url, clock=clock)
    yield made
    await made.close()


@pytest.fixture
def rules(issuer: Issuer) -> OidcRules:
    return OidcRules(issuer.url, AUDIENCE)


@pytest.fixture
def oidc(rules: OidcRules, keys: IssuerKeys) -> OidcAuthenticator:
    return OidcAuthenticator(rules, keys)
