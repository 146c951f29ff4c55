"""API keys: what is stored of them, on both adapters; their text; the secrets behind them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from relayline.contracts.principals import Scope
from relayline.journal.access.api_keys import KeyPlace, Rehashed, StoredKey
from relayline.journal.access.issuing import KeyIssuer, KeyRequest, NoSecret
from relayline.journal.access.key_text import KeyParts, new_key, parse_key
from relayline.journal.access.secret_ring import SecretRing
from relayline.journal.table import EVERY, Storage

OLD, NEW = "old:" + "o" * 32, "new:" + "n" * 32


def key(tenant: str = "blue", **fields: object) -> StoredKey:
    made = StoredKey(
        new_key("test").parts.key_id,
        tenant,
        "ann",
        "0" * 64,
        "old",
        frozenset({Scope.RUNS_READ, Scope.RUNS_WRITE}),
        created_us=1_000_000,
        created_by="me",
    )
    return replace(made, **fields)  # type: ignore[arg-type]


async def test_a_key_is_read_as_it_was_stored_by_every_process(
    table: Storage, other_table: Storage
) -> None:
    plain, whole = key(), key(expires_us=5, last_used_us=6, revoked_us=7, scopes=frozenset(Scope))
    for made in (plain, whole, replace(plain, tenant="red")):  # the last one changes nothing
        await table.api_keys.add(made)
    assert await other_table.api_keys.find(plain.key_id) == plain
    assert await other_table.api_keys.find(whole.key_id) == whole
    assert await other_table.api_keys.find("unknown") is None


async def test_keys_are_listed_newest_first_and_each_tenant_sees_its_own(table: Storage) -> None:
    tenants = [uuid4().hex, uuid4().hex]
    made = [key(tenants[at % 2], created_us=10 + at // 3) for at in range(7)]
    for one in made:
        await table.api_keys.add(one)
    for tenant in tenants:
        theirs = [it for it in made if it.tenant == tenant]
        theirs.sort(key=lambda it: (it.created_us, it.key_id), reverse=True)
        found: list[StoredKey] = []
        place: KeyPlace | None = None
        while page := await table.api_keys.keys(tenant, 2, place):
            found += page
            place = KeyPlace(page[-1].created_us, page[-1].key_id)
        assert found == theirs
    assert len(await table.api_keys.keys(EVERY, 100)) == len(made)


async def test_a_key_is_revoked_once_and_by_its_own_tenant(table: Storage) -> None:
    made = key()
    await table.api_keys.add(made)
    assert not await table.api_keys.revoke("red", made.key_id, 50)
    assert (await table.api_keys.find(made.key_id)) == made
    assert await table.api_keys.revoke("blue", made.key_id, 50)
    assert await table.api_keys.revoke(EVERY, made.key_id, 60)
    assert (await table.api_keys.find(made.key_id)) == replace(made, revoked_us=50)
    assert not await table.api_keys.revoke(EVERY, "unknown", 70)


@pytest.mark.parametrize(("had", "then"), [(None, 90), (200, 90), (20, 20)])
async def test_a_replaced_key_ends_in_time(table: Storage, had: int | None, then: int) -> None:
    old, new = key(expires_us=had), key(created_us=80)
    await table.api_keys.add(old)
    for _ in range(2):  # a repetition, as after a lost commit, changes nothing
        assert await table.api_keys.replace(old.key_id, new, 90)
    assert await table.api_keys.find(old.key_id) == replace(old, expires_us=then)
    assert await table.api_keys.find(new.key_id) == new


async def test_a_revoked_or_foreign_key_is_not_replaced(table: Storage) -> None:
    revoked, foreign, new = key(revoked_us=5), key("red"), key()
    for old in (revoked, foreign):
        await table.api_keys.add(old)
        assert not await table.api_keys.replace(old.key_id, new, 90)
        assert await table.api_keys.find(old.key_id) == old
    assert not await table.api_keys.replace("unknown", new, 90)
    assert await table.api_keys.find(new.key_id) is None


async def test_the_last_use_never_goes_back_and_hashes_move_to_a_newer_pepper(
    table: Storage,
) -> None:
    one, two = key(), key(pepper_id="new")
    for made in (one, two):
        await table.api_keys.add(made)
    await table.api_keys.note_used({})
    await table.api_keys.rehash([])
    await asyncio.gather(
        *(table.api_keys.note_used({one.key_id: at, two.key_id: at}) for at in (7, 9, 8))
    )
    moved = [Rehashed(it.key_id, "old", "new", "f" * 64) for it in (one, two)]
    await table.api_keys.rehash(moved)
    found = [await table.api_keys.find(it.key_id) for it in (one, two)]
    assert found == [
        replace(one, last_used_us=9, pepper_id="new", hash="f" * 64),
        replace(two, last_used_us=9),
    ]


async def test_an_issued_key_holds_until_it_is_rotated_and_the_grace_is_over(
    table: Storage,
) -> None:
    issuer = KeyIssuer(table.api_keys, SecretRing.parse(OLD), "test")
    first = await issuer.issue(KeyRequest("blue", "ann", frozenset({Scope.RUNS_READ})), "me")
    assert first.text.startswith(f"rl_test_{first.stored.key_id}_")
    assert await issuer.holds(first.text)
    second = await issuer.rotate(first.stored, timedelta(hours=1), "you")
    assert second is not None
    assert await issuer.holds(first.text)
    assert await issuer.holds(second.text)
    third = await issuer.rotate(second.stored, timedelta(), "you")
    assert third is not None
    assert not await issuer.holds(second.text)
    assert third.stored.scopes == first.stored.scopes
    foreign = KeyIssuer(table.api_keys, SecretRing.parse(NEW), "test")
    assert not await foreign.holds(third.text)
    rotated = KeyIssuer(table.api_keys, SecretRing.parse(f"{NEW},{OLD}"), "test")
    assert await rotated.holds(third.text)
    assert await table.api_keys.revoke(EVERY, third.stored.key_id, 5)
    assert await issuer.rotate(third.stored, timedelta(), "you") is None
    with pytest.raises(NoSecret, match="RELAYLINE_SECRET"):
        await KeyIssuer(table.api_keys, SecretRing(), "test").issue(
            KeyRequest("blue", "ann", frozenset()), "me"
        )


def test_what_is_stored_tells_no_key() -> None:
    made = new_key("live")
    assert parse_key(made.text) == made.parts
    stored = key(hash=made.parts.hashed(b"pepper"))
    assert made.parts.secret not in f"{stored} {stored.hash}"
    assert stored.hash not in repr(stored)


def test_only_a_key_has_the_text_of_a_key() -> None:
    text = new_key("live").text
    assert re.fullmatch(r"rl_[a-z0-9]{1,16}_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}", text)
    for at in range(3, len(text)):
        other = "x" if text[at] != "x" else "y"
        assert parse_key(text[:at] + other + text[at + 1 :]) is None, at
    for bad in ("", "rl_", text[:-1], text + "0", text.upper(), f" {text}", f"{text}\n", "é" * 75):
        assert parse_key(bad) is None
    texts = {new_key("live").text for _ in range(50)}
    digits = Counter("".join(text.rpartition("_")[2] for text in texts))
    assert len(texts) == 50
    assert len(digits) == 62


@pytest.mark.parametrize(
    "bad",
    ["x" * 40, "a:short", "a b:" + "x" * 40, "a:" + "x" * 31, f"{OLD},{OLD}", "a:" + "é" * 40],
)
def test_a_bad_secret_is_refused_and_not_quoted(bad: str) -> None:
    with pytest.raises(ValueError, match=r"ID:SECRET|same id") as refused:
        SecretRing.parse(bad)
    assert bad.rpartition(":")[2] not in str(refused.value)


def test_each_purpose_has_keys_of_its_own_from_each_secret() -> None:
    ring = SecretRing.parse(f" {NEW} , {OLD} ")
    made = [*ring.derived("one"), *ring.derived("two")]
    assert [it.id for it in made] == ["new", "old"] * 2
    assert len({it.secret for it in made}) == 4
    assert ring.derived("one") == SecretRing.parse(f"{NEW},{OLD}").derived("one")
    parts = KeyParts("id", "secret")
    assert len({parts.hashed(it.secret) for it in made}) == 4
    assert not SecretRing.parse("")
