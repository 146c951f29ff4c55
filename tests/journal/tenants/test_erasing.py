"""A tenant that is being erased: nothing is accepted, and nothing of it is left; no ring needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from relayline.journal.port import Fence, RunErased, TenantErased
from relayline.journal.table import EVERY, RunFilter, Storage
from relayline.runtime.payloads.ring import NO_KEYS, ListedKeys
from tests.journal.rows import fresh_id, keyed, queued
from tests.journal.samples import delta, end, fact
from tests.journal.tenants.keeping import (
    FIRST,
    failed,
    holding,
    row,
    said,
    stored,
    with_key,
)
from tests.journal.test_batches import batch_of
from tests.journal.test_erasures import dump
from tests.journal.test_processes import kill_after, start


async def test_nothing_is_accepted_for_a_tenant_that_is_being_erased(storage: str) -> None:
    async with holding(storage) as table:
        await with_key(table)
        run, theirs = await said(table), await said(table, "beta")
        before = await table.read(EVERY, run)
        await table.tenant_keys.begin_erasing("acme", row())
        for events in ([fact("late")], [delta()], [end()]):
            with pytest.raises(TenantErased, match="tenant 'acme' was erased"):
                await table.append(run, events, Fence("0/step/1", 1))
        with pytest.raises(TenantErased):
            await table.append(fresh_id(), keyed(queued(tenant="acme")))
        with pytest.raises(TenantErased):
            await table.append_audited(run, [fact("late")], [row()])
        with pytest.raises(TenantErased):
            await table.store_batch(*batch_of(1, tenant="acme"))
        with pytest.raises(TenantErased):
            await table.tenant_keys.check("acme")
        await table.tenant_keys.check("beta")
        assert await table.read(EVERY, run) == before
        await table.append(theirs, [fact("on")])
        assert issubclass(TenantErased, RunErased)


@pytest.mark.parametrize("ring", [FIRST, NO_KEYS], ids=["with the ring", "without"])
async def test_no_byte_of_the_tenant_is_left_but_its_name(storage: str, ring: ListedKeys) -> None:
    async with holding(storage) as table:
        runs = [await said(table)]
        made = await with_key(table)
        runs.append(await said(table))
        theirs = await said(table, "beta", title="stays", metadata={})
        await failed(table, runs[1])
        batch, starts = batch_of(2, tenant="acme")
        await table.store_batch(batch, starts)
        await table.store_batch(*(theirs_too := batch_of(1, tenant="beta")))
        await table.tenant_keys.begin_erasing("acme", row())
    async with holding(storage, ring) as table:
        assert [await table.erase_runs("acme", 1) for _ in range(3)] == [1, 1, 0]
        await gone(table, runs)
        assert {it.run_id for it in await table.unfinished(10)} == {*runs}
        await table.settle(runs)
        assert await table.find_batch(EVERY, batch.batch_id) is None
        assert await table.find_batch(EVERY, theirs_too[0].batch_id)
        found = await table.list_runs(EVERY, RunFilter(), 10)
        assert [it.row.run_id for it in found] == [theirs]
        await table.tenant_keys.finish_erasing("acme", row())
        with pytest.raises(TenantErased):
            await table.append(fresh_id(), keyed(queued(tenant="acme")))
    files = await asyncio.to_thread(dump, storage)
    ids = [*runs, batch.batch_id, *(it.run_id for it in starts)]
    assert not [it for it in [*ids, made.wrapped, "hmac:"] if it.encode() in files]
    for name in ("run_labels", "run_words", "batches"):
        left = await stored(storage, f"SELECT tenant FROM {{s}}{name}")  # noqa: S608
        assert {it for (it,) in left} <= {"beta"}


async def gone(table: Storage, runs: Sequence[str]) -> None:
    """Nobody finds these runs, or can append to them."""
    for run in runs:
        with pytest.raises(RunErased):
            await table.head("acme", run)
        with pytest.raises(RunErased):
            await table.append(run, [fact("late")])
        assert await table.read(EVERY, run) == []


@pytest.mark.slow
async def test_an_erasure_that_was_killed_is_finished_by_another(storage: str) -> None:
    async with holding(storage) as table:
        runs = [await said(table) for _ in range(60)]
        await table.tenant_keys.create("acme", row())
        runs += [await said(table) for _ in range(60)]
        await table.tenant_keys.begin_erasing("acme", row())
        killed = await start("erase_tenant", storage, "acme")
        erased = await kill_after(killed, 5)
        left = sum((await table.count_runs("acme", RunFilter())).values())
        assert 0 < left <= len(runs) - 5
        assert len(erased) >= 5
        while await table.erase_runs("acme", 50):
            pass
        await gone(table, runs)
        assert {it.run_id for it in await table.unfinished(200)} == {*runs}
        for name in ("events", "run_rows", "run_labels", "run_words", "runs"):
            assert await stored(storage, f"SELECT 1 FROM {{s}}{name}") == []  # noqa: S608
