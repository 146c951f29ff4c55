"""A run with a retention of its own expires so long after its end."""

from __future__ import annotations

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunRewound
from relayline.journal.table import EVERY, Storage
from tests.journal.rows import keyed, queued
from tests.journal.samples import end, fact, fresh_run


@pytest.mark.parametrize("days", [0.5, 400.0])
async def test_a_run_expires_after_its_own_retention(table: Storage, days: float) -> None:
    run, other = fresh_run(), fresh_run()
    told = queued(retention_days=days)
    await table.append(run, [*keyed(told), fact("said")])
    assert await table.expired(10) == []
    await table.append(other, [*keyed(queued()), end()])
    await table.append(run, [end()])
    assert await table.expired(10) == []
    listed = await table.listed(EVERY, run)
    assert listed is not None
    assert listed.row.retention_days == days


async def test_runs_expire_in_the_order_of_their_ends_and_an_open_one_never(
    table: Storage,
) -> None:
    soon, later, reopened = fresh_run(), fresh_run(), fresh_run()
    for run, days in ((later, 1e-9), (soon, 1e-12), (reopened, 1e-12)):
        await table.append(run, [*keyed(queued(retention_days=days)), end()])
    await table.append(reopened, [NewEvent(body=RunRewound(to_seq=1, epoch=1), key="rewound")])
    assert {*await table.expired(10)} == {soon, later}
    assert len(await table.expired(1)) == 1
    await table.erase(EVERY, soon)
    assert await table.expired(10) == [later]
