"""Keys of an issuer: rotated, withdrawn, gone; and documents that are none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import jwt
import pytest

from relayline.api.auth.jwks import FIRST_PAUSE_S, MAX_AGE_S, MIN_PAUSE_S, IssuerKeys
from relayline.api.auth.oidc import OidcAuthenticator, OidcRules
from relayline.api.auth.port import KeysUnavailable, Unauthenticated
from tests.api.auth.oidc.issuer import (
    AUDIENCE,
    DISCOVERY,
    KEYS,
    Clock,
    Issuer,
    ec_key,
    part,
    rsa_key,
    running_issuer,
)


async def test_a_new_key_is_fetched_when_a_token_names_it(
    issuer: Issuer, oidc: OidcAuthenticator, clock: Clock
) -> None:
    old = issuer.token()
    assert await oidc.principal(old)
    issuer.rotate("second")
    clock.now += MIN_PAUSE_S
    assert await oidc.principal(issuer.token())
    assert await oidc.principal(old)


async def test_a_withdrawn_key_is_forgotten_with_its_tokens(
    issuer: Issuer, oidc: OidcAuthenticator, keys: IssuerKeys, clock: Clock
) -> None:
    old = issuer.token()
    assert await oidc.principal(old)
    issuer.rotate("second", keep=False)
    clock.now += MAX_AGE_S
    assert await oidc.principal(old)  # which starts the fetch, and does not wait
    async with asyncio.timeout(30):
        while keys.generation < 2:
            await asyncio.sleep(0.01)
    with pytest.raises(Unauthenticated):
        await oidc.principal(old)
    assert await oidc.principal(issuer.token())


async def test_an_outage_of_the_issuer_is_survived(
    issuer: Issuer, oidc: OidcAuthenticator, clock: Clock
) -> None:
    assert await oidc.principal(issuer.token())
    issuer.is_down = True
    for _ in range(5):
        clock.now += MAX_AGE_S
        assert await oidc.principal(issuer.token(jti=str(clock.now)))
        await asyncio.sleep(0.01)
    stranger = jwt.encode(issuer.claims(), ec_key(), "ES256", headers={"kid": "new"})
    clock.now += MIN_PAUSE_S
    with pytest.raises(KeysUnavailable):
        await oidc.principal(stranger)
    issuer.is_down = False
    clock.now += MIN_PAUSE_S
    with pytest.raises(Unauthenticated):
        await oidc.principal(stranger)


async def test_an_issuer_that_has_never_answered_is_asked_again_soon(
    issuer: Issuer, oidc: OidcAuthenticator, clock: Clock
) -> None:
    issuer.is_down = True
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            await oidc.principal(issuer.token())
    assert issuer.asked[DISCOVERY] == 1
    issuer.is_down = False
    clock.now += FIRST_PAUSE_S
    assert await oidc.principal(issuer.token())


async def test_nobody_listens_where_the_issuer_should_be() -> None:
    keys = IssuerKeys("http://127.0.0.1:9")
    with running_issuer() as other, pytest.raises(KeysUnavailable):
        await OidcAuthenticator(OidcRules("http://127.0.0.1:9", AUDIENCE), keys).principal(
            other.token(iss="http://127.0.0.1:9")
        )


async def test_a_flood_of_unknown_keys_asks_the_issuer_once_in_half_a_minute(
    issuer: Issuer, oidc: OidcAuthenticator, clock: Clock
) -> None:
    assert await oidc.principal(issuer.token())

    async def stranger(number: int) -> None:
        token = jwt.encode(issuer.claims(), key, "ES256", headers={"kid": f"unknown {number}"})
        with pytest.raises(Unauthenticated):
            await oidc.principal(token)

    key = ec_key()
    for round_ in range(3):
        await asyncio.gather(*(stranger(number) for number in range(50)))
        assert issuer.asked[KEYS] == 1 + round_
        clock.now += MIN_PAUSE_S


Break = Callable[[Issuer], None]


def another_issuer(issuer: Issuer) -> None:
    issuer.discovery["issuer"] = issuer.url + "/"


def keys_elsewhere(issuer: Issuer) -> None:
    issuer.discovery["jwks_uri"] = "http://keys.example/keys"


def no_json(issuer: Issuer) -> None:
    issuer.answers[KEYS] = b"<html>"


def no_keys(issuer: Issuer) -> None:
    issuer.answers[KEYS] = b'{"keys": 7}'


def too_much(issuer: Issuer) -> None:
    issuer.answers[KEYS] = b" " * (1024 * 1024 + 1)


def too_many(issuer: Issuer) -> None:
    issuer.keys = issuer.keys * 101


@pytest.mark.parametrize(
    "spoil", [another_issuer, keys_elsewhere, no_json, no_keys, too_much, too_many]
)
async def test_malformed_provider_documents_count_as_missing(
    issuer: Issuer, oidc: OidcAuthenticator, spoil: Break
) -> None:
    spoil(issuer)
    with pytest.raises(KeysUnavailable):
        await oidc.principal(issuer.token())


def symmetric(issuer: Issuer) -> str:
    issuer.keys.append({"kty": "oct", "kid": "oct", "k": part(b"k" * 32), "alg": "HS256"})
    return jwt.encode(issuer.claims(), b"k" * 32, "HS256", headers={"kid": "oct"})


def for_encryption(issuer: Issuer) -> str:
    issuer.keys[0]["use"] = "enc"
    return issuer.token()


def not_to_verify(issuer: Issuer) -> str:
    issuer.keys[0]["key_ops"] = ["sign"]
    return issuer.token()


def for_another_algorithm(issuer: Issuer) -> str:
    issuer.keys[0]["alg"] = "ES384"
    return issuer.token()


def malformed(issuer: Issuer) -> str:
    issuer.keys[0] |= {"x": "!", "use": ["sig"]}
    issuer.keys.append({**issuer.keys[0], "use": "sig"})
    return issuer.token()


def too_short(issuer: Issuer) -> str:
    issuer.rotate("short", rsa_key("short", 1024))
    signing = f"{part({'alg': 'RS256', 'kid': 'short'})}.{part(issuer.claims())}"
    algorithm = jwt.get_algorithm_by_name("RS256")
    return f"{signing}.{part(algorithm.sign(signing.encode(), issuer.signer))}"


@pytest.mark.parametrize(
    "make",
    [symmetric, for_encryption, not_to_verify, for_another_algorithm, malformed, too_short],
)
async def test_keys_that_must_not_verify_do_not(
    issuer: Issuer, oidc: OidcAuthenticator, make: Callable[[Issuer], str]
) -> None:
    with pytest.raises(Unauthenticated):
        await oidc.principal(make(issuer))


async def test_a_private_key_that_the_issuer_sends_by_mistake_still_verifies(
    issuer: Issuer, oidc: OidcAuthenticator
) -> None:
    issuer.keys[0]["d"] = part(b"d" * 32)
    assert await oidc.principal(issuer.token())


async def test_a_token_is_verified_once(issuer: Issuer, oidc: OidcAuthenticator) -> None:
    token = issuer.token()
    assert await oidc.principal(token) is await oidc.principal(token)
