"""Ids of keys: one per tenant and key, of the newest secret, and older ones stay known."""

from __future__ import annotations

import hmac
import re
from dataclasses import replace

from relayline.api.signing.ids import RUNS, KeyedIds, new_batch_id, new_run_id
from relayline.contracts.principals import ANYBODY, Principal
from relayline.contracts.runs import RUN_ID_PATTERN
from relayline.contracts.submissions.batches import BATCH_ID_PATTERN
from relayline.journal.access.secret_ring import SecretRing

OLD, NEW = "one:" + "o" * 40, "two:" + "n" * 40
ANN = Principal("ann", "blue", frozenset(), "key", "k1")
RED = replace(ANN, tenant="red")


def ids(secrets: str = OLD) -> KeyedIds:
    return KeyedIds(SecretRing.parse(secrets))


def test_an_id_is_the_hmac_of_tenant_and_key() -> None:
    [secret] = SecretRing.parse(OLD).derived(RUNS)
    wanted = hmac.digest(secret.secret, b"blue\0k", "sha256")[:16].hex()
    assert ids().run("k", ANN) == f"run_{wanted}"
    assert re.fullmatch(RUN_ID_PATTERN, ids().run("k", ANN))
    assert re.fullmatch(BATCH_ID_PATTERN, ids().batch("k", ANN))


def test_ids_differ_by_tenant_key_secret_and_kind() -> None:
    made = [
        it.run(key, who) for it in (ids(), ids(NEW)) for key in ("k", "l") for who in (ANN, RED)
    ]
    made += [it.batch("k", ANN) for it in (ids(), ids(NEW))]
    assert len({it.partition("_")[2] for it in made}) == len(made)
    assert ids().run("k", replace(ANN, subject="bob", key_id="k2")) == ids().run("k", ANN)


def test_without_a_key_an_id_is_random() -> None:
    assert len({ids().run(None, ANN) for _ in range(100)}) == 100
    assert len({ids().batch(None, ANN) for _ in range(100)}) == 100


def test_older_secrets_and_older_forms_are_known_in_this_order() -> None:
    rotated = ids(f"{NEW},{OLD}")
    hashes = (new_run_id("k", ANN.key_space), new_run_id("k"))
    assert rotated.runs("k", ANN) == (ids(NEW).run("k", ANN), ids().run("k", ANN), *hashes)
    assert rotated.signed_runs("k", ANN) == (ids(NEW).run("k", ANN), ids().run("k", ANN))
    older = (new_batch_id("k", ANN.key_space), new_batch_id("k"))
    assert rotated.batches("k", ANN) == (ids(NEW).batch("k", ANN), ids().batch("k", ANN), *older)


def test_with_authentication_off_ids_are_as_they_were() -> None:
    for each in (ids(""), ids()):
        assert each.runs("k", ANYBODY) == (each.run("k", ANYBODY),) == (new_run_id("k"),)
        assert each.batches("k", ANYBODY) == (each.batch("k", ANYBODY),) == (new_batch_id("k"),)


def test_without_a_secret_a_tenants_key_is_hashed_in_its_own_space() -> None:
    assert ids("").run("k", ANN) == new_run_id("k", ANN.key_space) != ids("").run("k", RED)
