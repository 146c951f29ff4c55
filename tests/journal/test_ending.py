"""The end that is written for a run whose workflow could not write it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.runs import RunStatus
from relayline.journal.port import Appended, Fence
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY, Storage
from relayline.journal.terminal import end_run
from relayline.projections.terminal import Closing
from tests.journal.rows import keyed, queued
from tests.journal.samples import end, fact, fresh_run

TERMINATED = Closing(RunStatus.TERMINATED, "enough")


async def test_a_run_is_ended_once(table: Storage, other_table: Storage) -> None:
    run = fresh_run()
    await table.append(run, [fact("k")])
    assert await end_run(table, run, TERMINATED)
    assert not await end_run(other_table, run, Closing(RunStatus.FAILED))
    stored = await table.read(EVERY, run)
    assert [event.type for event in stored] == ["message.user", "run.terminated"]


async def test_a_run_that_the_journal_lacks_stays_its_tenants(table: Storage) -> None:
    run, closing = fresh_run(), TERMINATED._replace(queued=queued(tenant="acme"))
    assert await end_run(table, run, closing)
    assert not await end_run(table, run, closing)
    stored = await table.read("acme", run)
    assert [event.type for event in stored] == ["run.queued", "run.terminated"]
    begun = fresh_run()
    await table.append(begun, keyed(queued(tenant="beta")))
    assert await end_run(table, begun, closing)
    assert len(await table.read("beta", begun)) == 2


class Overtaken(SqliteJournal):
    """A journal in which the workflow's own end comes first by a hair."""

    own_end = end()

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        await super().append(run_id, [self.own_end])
        return await super().append(run_id, events, fence)


@pytest.mark.parametrize("key", ["0/run/ended", "1/run/ended"])
async def test_the_word_of_the_workflow_stands(tmp_path: Path, key: str) -> None:
    run = fresh_run()
    journal = Overtaken(tmp_path / "journal.db")
    journal.own_end = end(key)
    assert not await end_run(journal, run, TERMINATED)
    assert [event.type for event in await journal.read(EVERY, run)] == ["run.completed"]
    await journal.close()
