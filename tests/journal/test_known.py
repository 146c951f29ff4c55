"""Rows that a process has written are not parsed again, and rows of others are never mistaken."""

from __future__ import annotations

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunPaused, RunResumed, UserMessageEvent
from relayline.contracts.messages import Usage
from relayline.journal.table import EVERY, Storage
from relayline.journal.tenants.known_rows import KEPT, KnownRows
from relayline.journal.tenants.stored_tenant_keys import StoredTenantKeys
from relayline.journal.tenants.tenant_keys import NoRing
from relayline.journal.tenants.vault import Vault
from relayline.projections.row import RunRow, dump_row
from tests.journal.rows import STARTED, fold_of, fresh_id, keyed, queued, row


class NoTable(StoredTenantKeys):
    """A table that nobody asks."""

    def __init__(self) -> None:
        pass


def test_a_row_is_known_by_the_text_that_stores_it_and_any_other_text_is_read() -> None:
    known = KnownRows(Vault(NoTable(), NoRing()))
    mine = RunRow(seq=3, run_id="run-1", title="mine", before=RunRow(seq=2))
    known.keep(mine, "stored")
    assert known.load("run-1", "stored") == mine
    assert known.load("run-1", "stored").before is None
    theirs = RunRow(seq=4, run_id="run-1", title="theirs", usage=Usage(input_tokens=1))
    assert known.load("run-1", dump_row(theirs)) == theirs


def test_of_many_rows_the_newest_are_kept() -> None:
    known = KnownRows(Vault(NoTable(), NoRing()))
    for number in range(KEPT + 1):
        row = RunRow(seq=1, run_id=f"run-{number}", title="kept")
        known.keep(row, dump_row(RunRow(seq=1, run_id=row.run_id, title="read")))
    texts = {it: dump_row(RunRow(seq=1, run_id=it, title="read")) for it in ("run-0", "run-1")}
    assert [known.load(it, text).title for it, text in texts.items()] == ["read", "kept"]


async def test_two_processes_that_append_in_turns_write_the_same_row(
    table: Storage, other_table: Storage
) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(), STARTED))
    for number in range(6):
        storage = other_table if number % 3 else table
        body = RunResumed() if number % 2 else RunPaused(by=f"{number}")
        await storage.append(run, [NewEvent(key=f"turn/{number}", body=body)])
        assert await row(storage, run) == await fold_of(table, run)


async def test_a_message_after_the_input_leaves_the_row_as_it_is_and_readers_know(
    table: Storage, other_table: Storage
) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(), STARTED, UserMessageEvent(text="the input")))
    before = await row(table, run)
    message = NewEvent(key="later", body=UserMessageEvent(text="and another thing"))
    await other_table.append(run, [message])
    listed = await table.listed(EVERY, run)
    assert listed is not None
    assert (listed.row, listed.last_seq) == (before, 4)
    assert await table.fill_rows() == 0
    assert before == await fold_of(table, run)
