"""Rows that older versions have left, where a process can't open those of one tenant."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunPaused
from relayline.contracts.runs import RunStatus
from relayline.journal.port import TenantErased, Unreadable
from relayline.journal.table import EVERY, RunFilter
from relayline.journal.tenants.filling import Filling
from relayline.journal.tenants.vault import Vault
from relayline.runtime.payloads.ring import NO_KEYS
from tests.journal.tenants.keeping import FIRST, holding, said, stored, with_key
from tests.journal.tenants.test_keys import Table

ALL = RunFilter()


async def test_a_row_that_cannot_be_opened_is_missed_by_readers_of_its_tenant_alone(
    storage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with holding(storage) as table, holding(storage, NO_KEYS) as lacking:
        await with_key(table)
        sealed, plain = await said(table), [await said(table, "beta") for _ in range(2)]
        await table.append(plain[0], [NewEvent(key="p", body=RunPaused())])
        before = await table.list_runs("beta", ALL, 10)
        for run in (sealed, *plain):
            await stored(storage, f"INSERT INTO {{s}}unsummed_rows VALUES ('{run}')")  # noqa: S608
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                assert await lacking.list_runs("beta", ALL, 10) == before
        assert await lacking.listed(EVERY, plain[0]) in before
        counts = {RunStatus.PAUSED: 1, RunStatus.WAITING: 1}
        assert await lacking.count_runs("beta", ALL) == counts
        for asked in (
            lacking.list_runs("acme", ALL, 10),
            lacking.count_runs("acme", ALL),
            lacking.sum_runs(EVERY, ALL),
            lacking.listed("acme", sealed),
        ):
            with pytest.raises(Unreadable, match="'first', which this process lacks"):
                await asked
        assert [it.message for it in caplog.records].count(
            "rows of runs stay behind: they can't be opened"
        ) == 1
        assert await stored(storage, "SELECT run_id FROM {s}unsummed_rows") == [(sealed,)]
        assert await table.fill_rows() == 1
        assert (await table.count_runs("acme", ALL)) == {RunStatus.WAITING: 1}


async def test_a_row_of_an_erased_tenant_holds_up_nobody_and_is_not_tried_at_once_again() -> None:
    stale, tried = ["gone", "fine"], list[str]()

    async def behind(limit: int) -> list[str]:
        return stale[:limit]

    async def bring(run_ids: Sequence[str]) -> None:
        tried.extend(run_ids)
        if "gone" in run_ids:
            raise TenantErased("acme", "gone")
        stale.remove("fine")

    filling = Filling(Vault(Table([]), FIRST), behind, bring)
    assert [await filling.fill() for _ in range(2)] == [1, 0]
    assert tried == ["gone", "fine", "gone", "fine"]
    filling.check("beta")
    filling.check(EVERY, "fine")
    for tenant, run in (("acme", None), (EVERY, None), ("acme", "gone")):
        with pytest.raises(TenantErased):
            filling.check(tenant, run)
