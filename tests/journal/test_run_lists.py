"""Lists and counts of the runs table, against the plainest way to make them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from relayline.contracts.runs import RunStatus
from relayline.journal import filters as filters_module
from relayline.journal.table import EVERY, RunFilter, Storage, Tenant
from tests.examples import examples
from tests.journal import rows
from tests.journal.rows import BEGAN, SAMPLE, counted, expected, pages, summed


@pytest.fixture
async def sample(table: Storage) -> Storage:
    """A journal with the sample."""
    await rows.append_all(table, SAMPLE)
    return table


@pytest.fixture(params=["few", "some words", "many words"])
def bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to find a prefix, however few runs there are."""
    few, words = {"few": (2000, 8), "some words": (3, 8), "many words": (3, 0)}[request.param]
    monkeypatch.setattr(filters_module, "FEW_ENTRIES", few)
    monkeypatch.setattr(filters_module, "FEW_WORDS", words)


@pytest.mark.usefixtures("bounds")
@given(tenant=rows.tenants, wanted=rows.filters, limit=st.integers(1, 9))
@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_filter_finds_what_the_plainest_way_finds(
    sample: Storage, tenant: Tenant, wanted: RunFilter, limit: int
) -> None:
    found = [it async for page in pages(sample, tenant, wanted, limit) for it in page]
    assert [it.row.run_id for it in found] == expected(SAMPLE, tenant, wanted)
    assert await sample.count_runs(tenant, wanted) == counted(SAMPLE, tenant, wanted)
    assert await sample.sum_runs(tenant, wanted) == summed(SAMPLE, tenant, wanted)
    attention = {it.run_id: it.attention for it in SAMPLE if not it.status.ended}
    assert all(it.attention == attention.get(it.row.run_id) for it in found)


async def test_a_list_has_whole_rows(sample: Storage) -> None:
    for listed in await sample.list_runs(EVERY, RunFilter(), 100):
        assert listed.row == await rows.fold_of(sample, listed.row.run_id)
        assert listed == await sample.listed(EVERY, listed.row.run_id)


async def test_no_more_than_were_asked_for_and_none_for_none(sample: Storage) -> None:
    assert await sample.list_runs(EVERY, RunFilter(), 0) == []
    assert len(await sample.list_runs(EVERY, RunFilter(), 7)) == 7
    ended_and_open = RunFilter(statuses=frozenset({RunStatus.RUNNING}), open=False)
    assert await sample.list_runs(EVERY, ended_and_open, 7) == []
    assert await sample.count_runs(EVERY, ended_and_open) == {}


async def test_pages_lose_and_repeat_nothing_while_runs_come_and_go_on(
    table: Storage, other_table: Storage
) -> None:
    """All runs that were there from first to last are listed once, in order."""

    async def add(name: str, number: int) -> str:
        at = BEGAN + timedelta(seconds=number)
        run = f"run-{name}-{number}"
        await table.append(run, rows.keyed(rows.queued(submitted_at=at)))
        return run

    there = [await add("old", number) for number in range(30)]

    async def disturb() -> None:
        for number in range(30):
            await add("new", number)
            await table.append(there[number], rows.keyed(rows.queued(), rows.STARTED))

    disturbing = asyncio.create_task(disturb())
    listed = []
    async for page in pages(other_table, EVERY, RunFilter(agent="assistant"), 3):
        listed += [it.row.run_id for it in page]
        await asyncio.sleep(0)
    await disturbing
    assert [run for run in listed if run in there] == there[::-1]
    assert len(listed) == len(set(listed))
