"""Housekeeping erases files, and looks for them seldom."""

from __future__ import annotations

from unittest.mock import create_autospec

from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from relayline.activities.housekeeping import HousekeepingActivities
from relayline.contracts.housekeeping import HousekeepingRequest
from relayline.journal.named.sweep import PAUSE_S, NamedSweep
from relayline.journal.table import EVERY, Storage
from tests.journal.files.filing import make_old, written


async def test_a_round_of_housekeeping_erases_files_that_no_run_names(
    table: Storage, storage: str
) -> None:
    now = [0.0]
    sweep = NamedSweep(table.files.sweep, lambda: now[0])

    async def noted(_: int) -> int:
        return 0

    client = create_autospec(Client, instance=True)  # this part asks no Temporal
    activities = HousekeepingActivities(table, client, noted, None, sweep_files=sweep.work)

    async def round_() -> None:
        await ActivityEnvironment().run(activities.sweep_expired_runs, HousekeepingRequest())

    first, kept = await written(table, b"x"), await written(table, b"y")
    await make_old(storage, first.file_id)
    await round_()
    assert await table.files.find(EVERY, first.file_id) is None
    assert await table.files.find(EVERY, kept.file_id)
    await make_old(storage, kept.file_id)
    await round_()
    assert await table.files.find(EVERY, kept.file_id), "it has just looked"
    now[0] += PAUSE_S
    await round_()
    assert await table.files.find(EVERY, kept.file_id) is None
