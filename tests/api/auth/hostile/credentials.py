"""Credentials of everybody but the victim: of others, and of nobody."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from relayline.api.auth.stream_tokens import PURPOSE, StreamTokens
from relayline.contracts.principals import Principal, Scope
from relayline.journal.access.issuing import IssuedKey, KeyRequest
from relayline.journal.access.key_text import new_key
from relayline.journal.access.secret_ring import SecretRing
from relayline.journal.table import EVERY, Storage
from tests.api.auth.hostile.victim import TENANT, Victim
from tests.api.auth.keyed import EVERYTHING, SECRET, issued, issuer
from tests.api.auth.oidc.issuer import Issuer, part
from tests.api.auth.oidc.test_tokens import BAD, FORGED
from tests.api.serving import run_id

OTHER = "other"
OTHER_SECRET = "one:" + "x" * 40
OTHER_SCOPES = EVERYTHING - {Scope.TENANTS_ADMIN}


@dataclass(frozen=True)
class Credential:
    """What a request sends to prove who asks."""

    kind: str
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    holds: bool = False
    """True: it proves somebody, who is not of the victim's tenant or may not see it."""
    of_victim: bool = False
    """True: the victim gave it away, for one run that nobody asks for here."""
    names_no_tenant: bool = False
    """True: it is valid, and 403 on every route."""


def bearing(kind: str, text: str, *, holds: bool = False) -> Credential:
    """One in the usual header."""
    return Credential(kind, (("authorization", f"Bearer {text}"),), holds=holds)


async def of_others(victim: Victim, storage: Storage, provider: Issuer) -> list[Credential]:
    """Those that hold, but not for what the victim has."""
    key = await issued(storage, OTHER, OTHER_SCOPES, name="eve")
    reader = await issued(storage, OTHER, [Scope.RUNS_READ], name="eve")
    nobody = await issued(storage, OTHER, (), name="eve")
    scopes = " ".join(OTHER_SCOPES)
    own, given = stream_token(key, run_id()), stream_token(victim.owner, run_id())
    token = provider.token(tenant=OTHER, scope=scopes, exp=int(time.time()) + 7200)
    return [
        bearing("a key of another tenant", key.text, holds=True),
        bearing("a key that may only read", reader.text, holds=True),
        bearing("a key without scopes", nobody.text, holds=True),
        bearing("a token of another tenant", token, holds=True),
        bearing("a stream token of another run", own, holds=True),
        Credential("the same in the URL", query=f"access_token={own}", holds=True),
        replace(bearing("a stream token of the victim", given, holds=True), of_victim=True),
    ]


async def of_nobody(victim: Victim, storage: Storage, provider: Issuer) -> list[Credential]:
    """Those that prove nothing."""
    return [
        Credential("none"),
        *[bearing(kind, text) for kind, text in await keys(victim, storage)],
        *[bearing(kind, text) for kind, text in stream_tokens(victim)],
        *tokens(provider),
        *misplaced(victim.owner.text),
        *[bearing("garbage", it) for it in ("x", "rl_", "rs_.", "a.b.c", "\xff" * 9, "x" * 9000)],
    ]


async def keys(victim: Victim, storage: Storage) -> list[tuple[str, str]]:
    """API keys of the victim's tenant that have ended or never were."""
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    asked = KeyRequest(TENANT, "gone", EVERYTHING, an_hour_ago)
    expired = await issuer(storage).issue(asked, "tests")
    revoked = await issued(storage, TENANT)
    await storage.api_keys.revoke(EVERY, revoked.stored.key_id, time.time_ns() // 1000)
    guessed = new_key("test")
    await storage.api_keys.add(replace(victim.owner.stored, key_id=guessed.parts.key_id))
    other_secret = await issued(storage, TENANT, secret=OTHER_SECRET)
    unknown_secret = await issued(storage, TENANT, secret="two:" + "x" * 40)
    return [
        ("an expired key", expired.text),
        ("a revoked key", revoked.text),
        ("an unknown key", new_key("test").text),
        ("a key with another secret in it", guessed.text),
        ("a key of another deployment", other_secret.text),
        ("a key with a secret that is not listed", unknown_secret.text),
        ("a stream token of a revoked key", stream_token(revoked, victim.ids["run_id"][0])),
    ]


async def _holds(_: str) -> bool:
    return True


def stream_token(
    key: IssuedKey, run: str, secret: str = SECRET, ends: datetime | None = None
) -> str:
    """A token for the run's events, as the API signs it."""
    signing = [one.secret for one in SecretRing.parse(secret).derived(PURPOSE)]
    stored = key.stored
    who = Principal("eve", stored.tenant, EVERYTHING, "key", stored.key_id, ends)
    return StreamTokens(signing, _holds).issue(who, run, 3600).token


def stream_tokens(victim: Victim) -> list[tuple[str, str]]:
    """Of the victim's own runs, and not valid."""
    run = victim.ids["run_id"][0]
    signed, _, mac = stream_token(victim.owner, run).partition(".")
    changed = f"{signed[:20]}{'A' if signed[20] != 'A' else 'B'}{signed[21:]}.{mac}"
    gone = datetime.now(UTC) - timedelta(seconds=5)
    return [
        ("a stream token of before", stream_token(victim.owner, run, ends=gone)),
        ("a stream token of another secret", stream_token(victim.owner, run, OTHER_SECRET)),
        ("a changed stream token", changed),
        ("a stream token without signature", f"{signed}."),
    ]


def tokens(provider: Issuer) -> Iterator[Credential]:
    """Access tokens that name the victim's tenant and are not valid."""
    for kind, changes in BAD.items():
        yield bearing(f"a token: {kind}", signed(provider, **changes))
    for kind, make in FORGED.items():
        text = make(provider)
        if text.strip() and all(ord(char) < 256 for char in text):  # else no header can have it
            yield bearing(f"a token: {kind}", text)
    nameless = bearing("a token without a tenant", provider.token(tenant=None))
    yield replace(nameless, names_no_tenant=True)


def signed(provider: Issuer, **changes: Any) -> str:
    """A token with these claims, some of which the library refuses to sign."""
    text = f"{part({'alg': 'ES256', 'kid': provider.kid})}.{part(provider.claims(**changes))}"
    algorithm = jwt.get_algorithm_by_name("ES256")
    return f"{text}.{part(algorithm.sign(text.encode(), provider.signer))}"


def misplaced(good: str) -> list[Credential]:
    """A good key where none is looked for."""
    basic = base64.b64encode(f"key:{good}".encode()).decode()
    twice = (("authorization", f"Bearer {good}"), ("authorization", f"Bearer {good}"))
    return [
        Credential("a key twice", twice),
        Credential("a key as a password", (("authorization", f"Basic {basic}"),)),
        Credential("a key without Bearer", (("authorization", good),)),
        Credential("a key in the URL", query=f"access_token={good}"),
        Credential("a key in another header", (("x-api-key", good),)),
        Credential("a key in a cookie", (("cookie", f"authorization={good}"),)),
    ]
