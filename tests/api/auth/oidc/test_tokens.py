"""Access tokens: what proves who asks, and what does not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayline.api.auth.jwks import MAX_AGE_S, IssuerKeys
from relayline.api.auth.oidc import LEEWAY_S, OidcAuthenticator, OidcRules
from relayline.api.auth.port import Forbidden, Unauthenticated
from relayline.contracts.access.roles import parse_roles
from relayline.contracts.principals import Scope
from tests.api.auth.oidc.issuer import Clock, Issuer, ec_key, jwk_of, part, rsa_key

pytestmark = pytest.mark.slow


async def test_a_token_of_the_issuer_proves_who_asks(
    issuer: Issuer, oidc: OidcAuthenticator
) -> None:
    exp = int(time.time()) + 300
    principal = await oidc.principal(issuer.token(exp=exp))
    assert (principal.subject, principal.tenant, principal.via) == ("ada", "acme", "oidc")
    assert principal.scopes == {Scope.RUNS_READ, Scope.RUNS_WRITE}
    assert principal.expires_at is not None
    assert principal.expires_at.timestamp() == exp
    assert principal.key_id is None


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "RS512"])
async def test_one_rsa_key_without_alg_verifies_every_algorithm_of_its_kind(
    issuer: Issuer, oidc: OidcAuthenticator, algorithm: str
) -> None:
    issuer.rotate("rsa", rsa_key("good"))
    issuer.keys = [{k: v for k, v in key.items() if k != "alg"} for key in issuer.keys]
    assert (await oidc.principal(issuer.token({"alg": algorithm}))).subject == "ada"


async def test_a_token_without_a_key_id_is_verified_by_the_only_key(
    issuer: Issuer, oidc: OidcAuthenticator, clock: Clock
) -> None:
    nameless = jwt.encode(issuer.claims(), issuer.signer, "ES256")
    assert (await oidc.principal(nameless)).subject == "ada"
    issuer.rotate("second")
    clock.now += MAX_AGE_S
    again = jwt.encode(issuer.claims(jti="2"), issuer.signer, "ES256")
    await oidc.principal(issuer.token(jti="3"))
    with pytest.raises(Unauthenticated):
        await oidc.principal(again)


NOW = int(time.time())
BAD: dict[str, dict[str, Any]] = {
    "wrong audience": {"aud": "another"},
    "audiences of others": {"aud": ["a", "b"]},
    "other issuer": {"iss": "https://other.example"},
    "expired": {"exp": NOW - LEEWAY_S - 5},
    "expires never": {"exp": None},
    "expires in no time": {"exp": "soon"},
    "not yet valid": {"nbf": NOW + 3600},
    "issued later": {"iat": NOW + 3600},
    "issued never": {"iat": None},
    "of nobody": {"sub": None},
    "empty subject": {"sub": ""},
    "subject with a newline": {"sub": "ada\nroot"},
    "endless subject": {"sub": "a" * 300},
    "subject is a number": {"sub": 7},
    "for nobody": {"aud": None},
    "from nobody": {"iss": None},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
async def test_a_token_with_a_claim_that_does_not_hold_is_refused(
    issuer: Issuer, oidc: OidcAuthenticator, changes: dict[str, Any]
) -> None:
    if "sub" in changes or "exp" in changes:  # the library refuses to sign some of these
        head = part({"alg": "ES256", "kid": issuer.kid})
        signing = f"{head}.{part(issuer.claims(**changes))}"
        algorithm = jwt.get_algorithm_by_name("ES256")
        token = f"{signing}.{part(algorithm.sign(signing.encode(), issuer.signer))}"
    else:
        token = issuer.token(**changes)
    with pytest.raises(Unauthenticated) as refused:
        await oidc.principal(token)
    assert str(refused.value) == str(Unauthenticated())


async def test_clocks_may_differ_by_half_a_minute(issuer: Issuer, oidc: OidcAuthenticator) -> None:
    now = int(time.time())
    assert await oidc.principal(issuer.token(exp=now - LEEWAY_S + 20))
    assert await oidc.principal(issuer.token(nbf=now + LEEWAY_S - 20))


def forged(make: Callable[[Issuer], str]) -> Callable[[Issuer], str]:
    return make


def hs256(issuer: Issuer, secret: bytes) -> str:
    """Signed with what everybody knows."""
    signing = f"{part({'alg': 'HS256', 'kid': issuer.kid})}.{part(issuer.claims())}"
    algorithm = jwt.get_algorithm_by_name("HS256")
    key = issuer.signer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"{signing}.{part(algorithm.sign(signing.encode(), secret or key))}"


FORGED: dict[str, Callable[[Issuer], str]] = {
    "alg none": lambda it: f"{part({'alg': 'none', 'kid': it.kid})}.{part(it.claims())}.",
    "no alg": lambda it: f"{part({'kid': it.kid})}.{part(it.claims())}.",
    "alg is a list": lambda it: f"{part({'alg': ['ES256'], 'kid': it.kid})}.{part(it.claims())}.",
    "HS256 with the public key": lambda it: hs256(it, b""),
    "HS256 with the key as sent": lambda it: hs256(it, json.dumps(it.keys[0]).encode()),
    "another's key under our id": lambda it: jwt.encode(
        it.claims(), ec_key(), "ES256", headers={"kid": it.kid}
    ),
    "another's key in the header": lambda it: jwt.encode(
        it.claims(),
        (key := ec_key()),
        "ES256",
        headers={"kid": it.kid, "jwk": jwk_of(key), "jku": it.url + "/elsewhere"},
    ),
    "a kind of token that is none of access": lambda it: it.token({"typ": "logout+jwt"}),
    "an extension that must be understood": lambda it: it.token({"crit": ["exp"], "exp": 1}),
    "a changed payload": lambda it: ".".join(
        [(p := it.token().split("."))[0], part(it.claims(sub="eve")), p[2]]
    ),
    "no signature": lambda it: it.token().rpartition(".")[0] + ".",
    "two parts": lambda it: it.token().rpartition(".")[0],
    "a header that is no object": lambda it: f"{part([1])}.{part(it.claims())}.x",
    "a header without end": lambda it: f"{part(b'[' * 9000)}.x.x",
    "too long": lambda it: it.token(pad="x" * 20_000),
    "nothing": lambda _: "",
    "no ASCII": lambda it: it.token() + "ä",
    "half a surrogate pair": lambda it: it.token() + "\ud800",
}


@pytest.mark.parametrize("make", FORGED.values(), ids=FORGED)
async def test_a_forged_token_is_refused(
    issuer: Issuer, oidc: OidcAuthenticator, make: Callable[[Issuer], str]
) -> None:
    assert await oidc.principal(issuer.token())
    with pytest.raises(Unauthenticated) as refused:
        await oidc.principal(make(issuer))
    assert str(refused.value) == str(Unauthenticated())
    assert issuer.asked["/elsewhere"] == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 10_000), char=st.sampled_from("AZaz09-_.=~ é\0"))
async def test_a_token_with_one_character_changed_is_never_taken(
    issuer: Issuer, oidc: OidcAuthenticator, place: int, char: str
) -> None:
    token = issuer.token()
    at = place % (len(token) - 1)  # the last one has bits that mean nothing
    changed = token[:at] + char + token[at + 1 :]
    if changed != token:
        with pytest.raises(Unauthenticated):
            await oidc.principal(changed)


@pytest.mark.parametrize(
    ("typ", "passes"),
    [("at+jwt", True), ("application/AT+JWT", True), ("JWT", False), (None, False)],
)
async def test_id_tokens_can_be_kept_out(
    issuer: Issuer, rules: OidcRules, keys: IssuerKeys, typ: str | None, *, passes: bool
) -> None:
    strict = OidcAuthenticator(replace(rules, needs_at_jwt=True), keys)
    token = issuer.token({"typ": typ})
    if passes:
        assert await strict.principal(token)
    else:
        with pytest.raises(Unauthenticated):
            await strict.principal(token)


@pytest.mark.parametrize(
    "changes",
    [{"tenant": None}, {"tenant": ""}, {"tenant": "Acme Inc"}, {"tenant": 7}, {"tenant": ["a"]}],
)
async def test_a_token_without_a_tenant_is_forbidden(
    issuer: Issuer, oidc: OidcAuthenticator, changes: dict[str, Any]
) -> None:
    claims = issuer.claims(**changes)
    token = jwt.encode(claims, issuer.signer, "ES256", headers={"kid": issuer.kid})
    with pytest.raises(Forbidden, match="'tenant'"):
        await oidc.principal(token)


@pytest.mark.parametrize(
    ("rule", "claims"),
    [
        ({"tenant_claim": "org.id"}, {"org": {"id": "acme"}, "tenant": None}),
        ({"tenant_claim": "https://x.example/t"}, {"https://x.example/t": "acme", "tenant": None}),
        ({}, {"scope": None, "scp": ["runs:read", "runs:write", 7]}),
        ({}, {"scope": "runs:read", "scp": "runs:write"}),
        ({"roles": "dev=runs:read runs:write"}, {"roles": ["dev", "chef"], "scope": "keys:admin"}),
        (
            {"roles": "dev=runs:read,ops=runs:write", "role_claim": "realm_access.roles"},
            {"realm_access": {"roles": ["dev", "ops"]}, "roles": ["none"]},
        ),
    ],
)
async def test_settings_say_which_claims_mean_what(
    issuer: Issuer,
    rules: OidcRules,
    keys: IssuerKeys,
    rule: dict[str, Any],
    claims: dict[str, Any],
) -> None:
    changes = {**rule, "roles": parse_roles(rule.get("roles", ""))}
    principal = await OidcAuthenticator(replace(rules, **changes), keys).principal(
        issuer.token(**claims)
    )
    assert principal.tenant == "acme"
    assert principal.scopes == {Scope.RUNS_READ, Scope.RUNS_WRITE}


async def test_a_token_without_scopes_may_do_nothing(
    issuer: Issuer, oidc: OidcAuthenticator
) -> None:
    assert not (await oidc.principal(issuer.token(scope=None))).scopes


@pytest.mark.parametrize("text", ["viewer", "=runs:read", "viewer=runs:fly"])
def test_a_malformed_table_of_roles_says_why(text: str) -> None:
    with pytest.raises(ValueError, match=r"ROLE=|there are"):
        parse_roles(text)


def test_a_role_may_have_all_scopes() -> None:
    assert parse_roles("a b=runs:read, root=*") == {
        "a b": frozenset({Scope.RUNS_READ}),
        "root": frozenset(Scope),
    }
