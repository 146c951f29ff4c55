"""Keys of tenants: wrapped by the ring, known to all processes, bound to what they seal."""

from __future__ import annotations

import asyncio

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunPaused
from relayline.journal.port import JournalUnavailable, TenantErased, Unreadable
from relayline.journal.rows import new_row
from relayline.journal.table import EVERY, RunFilter
from relayline.journal.tenants.data_key import DataKey, unwrap, wrap
from relayline.journal.tenants.sealing import Sealing
from relayline.journal.tenants.stored_tenant_keys import StoredTenantKeys
from relayline.journal.tenants.tenant_keys import EFFECTIVE_S, KeyState, NoRingKey, TenantKey
from relayline.journal.tenants.vault import FRESH_S, Vault
from relayline.runtime.payloads.ring import NO_KEYS, ListedKeys, new_key
from tests.journal.outbox import added, planned
from tests.journal.samples import delta, fact, texts
from tests.journal.tenants.keeping import (
    FIRST,
    MARK,
    change,
    failed,
    holding,
    row,
    said,
    stored,
    with_key,
)

SECOND = ListedKeys([new_key("second"), FIRST.key("first")])
LATER = ListedKeys([SECOND.key("second")])


async def test_a_tenant_has_one_key_whoever_makes_it_and_each_step_is_told_once(
    storage: str,
) -> None:
    async with holding(storage) as table, holding(storage) as other:
        made = await with_key(table)
        assert await with_key(other) == made
        assert await other.tenant_keys.keys() == [made]
        assert (made.state, made.ring_id) == (KeyState.ACTIVE, "first")
        begun = [await it.tenant_keys.begin_erasing("acme", row("b")) for it in (table, other)]
        assert begun[0] == begun[1]
        assert begun[0]
        assert begun[0].state is KeyState.ERASING
        for _ in range(2):
            await table.tenant_keys.finish_erasing("acme", row("c"))
        [key] = await table.tenant_keys.keys()
        assert (key.state, key.wrapped, key.key_id) == (KeyState.ERASED, "", made.key_id)
        assert await with_key(table) == key
        assert await table.tenant_keys.begin_erasing("nobody", row()) is None
        told = await stored(storage, "SELECT action FROM {s}audit ORDER BY at_us")
        assert told == [("tenant-key.create",), ("b",), ("c",)]


async def test_a_key_can_not_be_made_without_one_that_wraps_it(storage: str) -> None:
    async with holding(storage, NO_KEYS) as table:
        with pytest.raises(NoRingKey, match="RELAYLINE_PAYLOAD_KEYS"):
            await with_key(table)


@pytest.mark.parametrize("ring", [NO_KEYS, LATER], ids=["no key", "another"])
async def test_a_process_without_the_key_of_the_ring_says_so_and_writes_nothing(
    storage: str, ring: ListedKeys
) -> None:
    async with holding(storage) as table, holding(storage, ring) as lacking:
        run, others = "", await said(table, "beta")
        await with_key(table)
        run = await said(table)
        before = await table.read(EVERY, run)
        for asked in (
            lacking.append(run, [delta("late")]),
            lacking.append(run, [fact("late")]),
            lacking.read("acme", run),
            lacking.get(EVERY, run, "said"),
            lacking.listed(EVERY, run),
            lacking.list_runs("acme", RunFilter(), 10),
            lacking.list_runs("acme", RunFilter(metadata={"user": MARK}), 10),
        ):
            with pytest.raises(Unreadable, match=r"'first', which this process lacks"):
                await asked
        assert issubclass(Unreadable, JournalUnavailable)
        assert await table.read(EVERY, run) == before
        await lacking.append(others, [delta("on")])
        assert texts(await lacking.read("beta", others))[-1] == "on"
        found = await lacking.list_runs("beta", RunFilter(metadata={"user": MARK}), 10)
        assert [it.row.run_id for it in found] == [others]


async def test_receivers_of_others_are_told_what_a_process_can_read(storage: str) -> None:
    async with holding(storage) as table, holding(storage, NO_KEYS) as lacking:
        await with_key(table)
        sealed, plain = await added(table, "acme"), await added(table, "beta")
        for _ in range(3):
            await said(table)
        run = await said(table, "beta")
        await asyncio.gather(lacking.webhooks.plan(1), return_exceptions=True)  # perhaps `plain`
        for _ in range(2):
            with pytest.raises(Unreadable, match="'first'"):
                await lacking.webhooks.plan(1)
        [first] = await table.webhooks.deliveries(EVERY, plain.webhook_id, (None, None), 10)
        assert first.run_id == run
        assert not await table.webhooks.deliveries(EVERY, sealed.webhook_id, (None, None), 10)
        assert len(await planned(table.webhooks, sealed)) == 3


async def test_the_ring_is_rotated_and_its_old_key_can_go(storage: str) -> None:
    async with holding(storage) as table:
        made = await with_key(table)
        run = await said(table)
        assert await table.tenant_keys.rewrap() == 0
    async with holding(storage, LATER) as table:
        assert await table.tenant_keys.rewrap() == 0
    async with holding(storage, SECOND) as table:
        assert texts(await table.read(EVERY, run)) == [MARK] * 3
        assert await table.tenant_keys.rewrap() == 1
        assert await table.tenant_keys.rewrap() == 0
    async with holding(storage, LATER) as table:
        [key] = await table.tenant_keys.keys()
        assert (key.key_id, key.ring_id) == (made.key_id, "second")
        assert key.wrapped != made.wrapped
        assert texts(await table.read(EVERY, run)) == [MARK] * 3


ONE = "WHERE run_id <> ? AND run_id = ?"
MOVES = {
    "another run's": "SET data = (SELECT data FROM {s}events WHERE run_id = ? AND seq = 4) "
    "WHERE run_id = ? AND seq = 4",
    "another key": f"SET key = 'else' {ONE} AND seq = 4",
    "another type": f"SET type = 'message.delta' {ONE} AND seq = 4",
    "changed": f"""SET data = replace(data, '"c":"', '"c":"AAAA') {ONE}""",
}
"""How somebody may change the events of the second run, perhaps by those of the first."""


@pytest.mark.parametrize("moved", MOVES)
@pytest.mark.parametrize("tenant", ["acme", "beta"])
async def test_what_was_moved_or_changed_is_not_read(storage: str, moved: str, tenant: str) -> None:
    async with holding(storage) as table:
        for each in ("acme", "beta"):
            await with_key(table, each)
        source, run = await said(table, tenant), await said(table)
        await change(storage, f"UPDATE {{s}}events {MOVES[moved]}", source, run)
        with pytest.raises(Unreadable, match=r"it was changed, or belongs elsewhere .*run-") as it:
            await table.read(EVERY, run)
        assert MARK not in str(it.value)
        assert texts(await table.read(EVERY, source)) == [MARK] * 3


async def test_a_row_that_was_moved_is_not_read(storage: str) -> None:
    async with holding(storage) as table:
        await with_key(table)
        source, run = await said(table), await said(table)
        await change(
            storage,
            "UPDATE {s}run_rows SET state = (SELECT state FROM {s}run_rows WHERE run_id = ?)"
            " WHERE run_id = ?",
            source,
            run,
        )
        with pytest.raises(Unreadable, match="belongs elsewhere"):
            await table.listed(EVERY, run)


async def test_a_process_that_folds_what_another_has_sealed_finds_the_key_at_once(
    storage: str,
) -> None:
    async with holding(storage) as table, holding(storage) as other:
        run = await said(table)
        await other.append(run, [fact("before")])  # it has read the keys: there were none
        await with_key(table)
        await table.append(run, [NewEvent(body=RunPaused(), key="paused")])
        await other.append(run, [NewEvent(body=RunPaused(), key="again"), fact("plain")])
        assert texts(await other.read(EVERY, run))[-1] == "said"
        await failed(other, run)


class Table(StoredTenantKeys):
    """A table that can be asked how often it was."""

    def __init__(self, keys: list[TenantKey]) -> None:
        self.keys = keys
        self.asked = 0

    async def all(self) -> list[TenantKey]:
        self.asked += 1
        await asyncio.sleep(0)
        return [*self.keys]


async def test_keys_are_read_again_when_they_are_old_and_what_was_erased_is_forgotten() -> None:
    now = 0.0
    secret = FIRST.key("first").secret
    wrapped = wrap(b"s" * 32, secret, "acme", "tk_1")
    key = TenantKey("acme", "tk_1", KeyState.ACTIVE, "first", wrapped, 0)
    table = Table([])
    vault = Vault(table, FIRST, lambda: now)
    await vault.fresh()
    assert not vault.in_use
    table.keys = [key]
    await vault.fresh()
    assert (vault.of("acme"), table.asked) == (None, 1)
    now = FRESH_S
    await vault.fresh()
    assert vault.accepting("acme") is vault.of("acme") is vault.by_id("tk_1")
    table.keys = [key._replace(state=KeyState.ERASING)]
    await vault.check("acme")
    now += FRESH_S
    for refused in (vault.check("acme"), vault.check("acme")):
        with pytest.raises(TenantErased):
            await refused
    with pytest.raises(TenantErased, match="'acme'"):
        vault.accepting("acme", "run-1")
    assert vault.of("acme")
    table.keys = [key._replace(state=KeyState.ERASED, wrapped="", ring_id="")]
    await vault.refresh()
    with pytest.raises(TenantErased):
        vault.of("acme")
    assert FRESH_S < EFFECTIVE_S


async def test_a_key_that_cannot_be_unwrapped_holds_up_no_other_when_the_ring_is_rotated(
    storage: str,
) -> None:
    async with holding(storage) as table:
        for tenant in ("acme", "beta"):
            await with_key(table, tenant)
        await change(storage, "UPDATE {s}tenant_keys SET wrapped = 'AAAA' WHERE tenant = 'acme'")
    async with holding(storage, SECOND) as table:
        with pytest.raises(Unreadable, match="'acme' can't be unwrapped"):
            await table.tenant_keys.rewrap()
        rings = {it.tenant: it.ring_id for it in await table.tenant_keys.keys()}
        assert rings == {"acme": "first", "beta": "second"}


async def test_all_who_need_keys_that_were_never_read_wait_for_one_read() -> None:
    table = Table([])
    vault = Vault(table, FIRST, lambda: 0.0)
    waiting = [asyncio.create_task(vault.fresh()) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert (found[1:], table.asked) == ([None] * 19, 1)


async def test_a_close_that_is_cancelled_fails_no_append_that_waits_for_keys() -> None:
    gate = asyncio.Event()

    class Slow(Table):
        async def all(self) -> list[TenantKey]:
            await gate.wait()
            return await super().all()

    async def owner(_: str) -> str | None:
        return None

    sealing, rows = Sealing(Vault(Slow([]), FIRST), owner), [new_row(fact("said"))]
    appended = asyncio.create_task(sealing.sealed("run", rows))
    await asyncio.sleep(0)
    closing = asyncio.create_task(sealing.finished())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    gate.set()
    assert await appended == rows


def test_a_wrapped_key_is_bound_to_its_tenant_and_its_name() -> None:
    secret, by = b"s" * 32, FIRST.key("first").secret
    wrapped = wrap(secret, by, "acme", "tk_1")
    assert unwrap(wrapped, by, "acme", "tk_1") == secret
    for wrong in (
        (wrapped, by, "beta", "tk_1"),
        (wrapped, by, "acme", "tk_2"),
        (wrapped, b"o" * 32, "acme", "tk_1"),
        (wrapped[:-4], by, "acme", "tk_1"),
        ("?", by, "acme", "tk_1"),
    ):
        with pytest.raises(Unreadable, match="can't be unwrapped"):
            unwrap(*wrong)


def test_the_same_text_is_sealed_differently_each_time_and_its_length_tells_little() -> None:
    key = DataKey("acme", "tk_1", b"s" * 32)
    first, second = key.seal("said", "event", "run-1"), key.seal("said", "event", "run-1")
    assert first != second
    assert key.open(first, "event", "run-1") == key.open(second, "event", "run-1") == "said"
    for bound in (("event", "run-2"), ("row", "run-1"), ("event",)):
        with pytest.raises(Unreadable):
            key.open(first, *bound)
    other = DataKey("beta", "tk_1", b"s" * 32)
    with pytest.raises(Unreadable):
        other.open(first, "event", "run-1")
    assert key.label("a", "b") == DataKey("beta", "tk_2", b"s" * 32).label("a", "b")
    assert key.label("a", "b") != DataKey("acme", "tk_1", b"t" * 32).label("a", "b")
