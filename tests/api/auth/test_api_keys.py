"""The check of API keys: cached, the same for every bad one, and alive while the store is away."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from relayline.api.auth import api_keys
from relayline.api.auth.api_keys import FRESH_S, PATIENCE_S, RETRY_S, KeyAuthenticator
from relayline.api.auth.port import KeysUnavailable, Unauthenticated
from relayline.contracts.principals import Scope
from relayline.journal.access.api_keys import ApiKeys, StoredKey
from relayline.journal.access.issuing import IssuedKey, KeyIssuer, KeyRequest
from relayline.journal.access.key_text import new_key
from relayline.journal.access.secret_ring import SecretRing
from relayline.journal.port import JournalUnavailable

OLD, NEW = "old:" + "o" * 32, "new:" + "n" * 32
ASKED = KeyRequest("blue", "ann", frozenset({Scope.RUNS_READ}))


class Kept(ApiKeys):
    """A store in memory that counts look-ups, and can be away."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredKey] = {}
        self.looked_up = 0
        self.away = False
        self.slow = asyncio.Event()
        self.slow.set()

    async def find(self, key_id: str) -> StoredKey | None:
        self.looked_up += 1
        await self.slow.wait()
        if self.away:
            raise JournalUnavailable("away")
        return self.rows.get(key_id)

    async def add(self, key: StoredKey) -> None:
        self.rows.setdefault(key.key_id, key)

    async def keys(self, tenant: Any, limit: int, before: Any = None) -> list[StoredKey]:
        return [*self.rows.values()]

    async def replace(self, key_id: str, new: StoredKey, until_us: int) -> bool:
        raise AssertionError

    async def revoke(self, tenant: Any, key_id: str, now_us: int) -> bool:
        raise AssertionError

    async def note_used(self, used: Any) -> None:
        if self.away:
            raise JournalUnavailable("away")
        for key_id, at_us in used.items():
            self.rows[key_id] = replace(self.rows[key_id], last_used_us=at_us)

    async def rehash(self, rehashed: Any) -> None:
        for key_id, _, pepper_id, hashed in rehashed:
            self.rows[key_id] = replace(self.rows[key_id], pepper_id=pepper_id, hash=hashed)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def store() -> Kept:
    return Kept()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def check(store: Kept, clock: Clock) -> AsyncIterator[KeyAuthenticator]:
    made = KeyAuthenticator(store, SecretRing.parse(OLD), clock)
    yield made
    await made.close()


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The HMACs that were made."""
    made: list[str] = []
    digest = hmac.digest

    def counted(*arguments: Any) -> bytes:
        made.append("one")
        return digest(*arguments)

    monkeypatch.setattr(hmac, "digest", counted)
    return made


async def issued(store: Kept, secret: str = OLD, asked: KeyRequest = ASKED) -> IssuedKey:
    return await KeyIssuer(store, SecretRing.parse(secret), "test").issue(asked, "me")


async def test_a_key_tells_who_asks(store: Kept, check: KeyAuthenticator) -> None:
    key = await issued(store)
    who = await check.principal(key.text)
    assert (who.subject, who.tenant, who.scopes) == ("ann", "blue", ASKED.scopes)
    assert (who.via, who.key_id, who.expires_at) == ("key", key.stored.key_id, None)


async def test_unknown_revoked_expired_and_foreign_keys_cost_the_same_and_are_told_the_same(
    store: Kept, check: KeyAuthenticator, hashes: list[str]
) -> None:
    unknown = new_key("test").text
    revoked, expired, foreign = [await issued(store) for _ in range(3)]
    wrong = await issued(store, NEW)
    store.rows[revoked.stored.key_id] = replace(revoked.stored, revoked_us=5)
    store.rows[expired.stored.key_id] = replace(expired.stored, expires_us=5)
    store.rows[foreign.stored.key_id] = replace(foreign.stored, hash=wrong.stored.hash)
    costs, said = set(), set()
    for text in (unknown, revoked.text, expired.text, foreign.text, wrong.text):
        for _ in range(2):  # from the store, then from the cache
            before = (store.looked_up, len(hashes))
            with pytest.raises(Unauthenticated) as refused:
                await check.principal(text)
            said.add((refused.value.status, refused.value.detail, *refused.value.members))
            costs.add((store.looked_up - before[0], len(hashes) - before[1]))
    assert costs == {(1, 1), (0, 1)}
    assert len(said) == 1


async def test_a_malformed_key_is_not_looked_up(store: Kept, check: KeyAuthenticator) -> None:
    for text in ("rl_", "rl_test_x_y", new_key("test").text[:-1] + "!"):
        with pytest.raises(Unauthenticated):
            await check.principal(text)
    assert store.looked_up == 0


async def test_a_revoked_key_is_refused_within_ten_seconds(
    store: Kept, check: KeyAuthenticator, clock: Clock
) -> None:
    key = await issued(store)
    await check.principal(key.text)
    store.rows[key.stored.key_id] = replace(key.stored, revoked_us=5)
    clock.now_s += FRESH_S - 0.1
    await check.principal(key.text)
    assert store.looked_up == 1
    clock.now_s += 0.1
    with pytest.raises(Unauthenticated):
        await check.principal(key.text)
    assert FRESH_S <= 10


async def test_many_requests_share_one_look_up(store: Kept, check: KeyAuthenticator) -> None:
    key = await issued(store)
    store.slow.clear()
    asking = [asyncio.create_task(check.principal(key.text)) for _ in range(20)]
    while not store.looked_up:
        await asyncio.sleep(0)
    store.slow.set()
    assert {who.subject for who in await asyncio.gather(*asking)} == {"ann"}
    assert store.looked_up == 1


async def test_a_key_holds_for_a_while_when_the_store_is_away_and_others_are_told_to_return(
    store: Kept, check: KeyAuthenticator, clock: Clock
) -> None:
    key, unseen = await issued(store), await issued(store)
    await check.principal(key.text)
    store.away = True
    with pytest.raises(KeysUnavailable) as refused:
        await check.principal(unseen.text)
    assert (refused.value.status, refused.value.type) == (503, "keys-unavailable")
    clock.now_s += FRESH_S
    asked = store.looked_up
    for _ in range(3):
        await check.principal(key.text)
    assert store.looked_up <= asked + 1
    clock.now_s += RETRY_S
    await check.principal(key.text)
    clock.now_s += PATIENCE_S
    with pytest.raises(KeysUnavailable):
        await check.principal(key.text)
    store.away = False
    await check.principal(key.text)


async def test_a_key_with_a_wrong_secret_gains_nothing_from_an_outage(
    store: Kept, check: KeyAuthenticator, clock: Clock
) -> None:
    key, other = await issued(store), new_key("test")
    await check.principal(key.text)
    store.rows[other.parts.key_id] = replace(key.stored, key_id=other.parts.key_id)
    with pytest.raises(Unauthenticated):
        await check.principal(other.text)
    store.away = True
    clock.now_s += FRESH_S
    with pytest.raises(Unauthenticated):
        await check.principal(other.text)


async def test_a_store_that_hangs_holds_up_nobody_who_was_seen_lately(
    store: Kept, check: KeyAuthenticator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "LOOK_UP_S", 0.01)
    key = await issued(store)
    await check.principal(key.text)
    clock.now_s += FRESH_S
    store.slow.clear()
    assert (await check.principal(key.text)).subject == "ann"


async def test_the_last_use_is_noted_later_and_at_the_end(store: Kept, clock: Clock) -> None:
    check = KeyAuthenticator(store, SecretRing.parse(OLD), clock)
    key = await issued(store)
    await check.principal(key.text)
    assert store.rows[key.stored.key_id].last_used_us is None
    before_us = time.time_ns() // 1000 - 60_000_000
    await check.close()
    noted = store.rows[key.stored.key_id].last_used_us
    assert noted is not None
    assert noted > before_us
    store.away = True
    again = KeyAuthenticator(store, SecretRing.parse(OLD), clock)
    await again.close()


async def test_a_first_key_is_kept_before_it_is_valid(store: Kept) -> None:
    issuer, kept = KeyIssuer(store, SecretRing.parse(OLD), "test"), list[str]()

    def fails(_: str) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        await issuer.first(ASKED, "me", fails)
    assert not store.rows
    issued = await issuer.first(ASKED, "me", kept.append)
    assert issued is not None
    assert kept == [issued.text]
    store.rows[issued.stored.key_id] = replace(issued.stored, revoked_us=5)
    assert await issuer.first(ASKED, "me", kept.append) is None


async def test_a_used_key_moves_to_the_newest_secret(store: Kept, clock: Clock) -> None:
    key = await issued(store)
    both = KeyAuthenticator(store, SecretRing.parse(f"{NEW},{OLD}"), clock)
    await both.principal(key.text)
    await both.close()
    assert store.rows[key.stored.key_id].pepper_id == "new"
    only_new = KeyAuthenticator(store, SecretRing.parse(NEW), clock)
    assert (await only_new.principal(key.text)).subject == "ann"
    await only_new.close()
    only_old = KeyAuthenticator(store, SecretRing.parse(OLD), clock)
    with pytest.raises(Unauthenticated):
        await only_old.principal(key.text)
