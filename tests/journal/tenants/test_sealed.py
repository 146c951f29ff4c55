"""What a tenant's key seals is in no file, and every reader has it as it was appended."""

from __future__ import annotations

import asyncio
from typing import get_args

from pydantic import BaseModel

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import EventBody, RunRewound
from relayline.contracts.runs import RunStatus
from relayline.journal.port import Fence
from relayline.journal.table import EVERY, RunFilter
from tests.journal.outbox import added, planned
from tests.journal.rows import STARTED, fold_of, fresh_id, keyed, queued
from tests.journal.rows import row as row_of
from tests.journal.samples import delta, end, fact, follow, tailing, texts
from tests.journal.tenants.keeping import MARK, failed, holding, said, stored, with_key
from tests.journal.test_batches import batch_of
from tests.journal.test_erasures import dump

PLAIN = "open-secret"
"""Is said by a tenant without a key."""


async def test_no_byte_of_content_is_in_the_files(storage: str) -> None:
    async with holding(storage) as table:
        await with_key(table)
        receiver = await added(table, "acme")
        run = await said(table)
        await said(table, "beta", PLAIN)
        await failed(table, run)
        batch, starts = batch_of(2, tenant="acme")
        starts = [it.model_copy(update={"input": MARK}) for it in starts]
        await table.store_batch(batch, starts)
        told = await planned(table.webhooks, receiver)
        assert {run_id for run_id, _ in told} == {run}
        assert (run, 7) in told
    files = await asyncio.to_thread(dump, storage)
    assert PLAIN.encode() in files
    assert b"secret" in files  # a word of that run
    assert MARK.encode() not in files
    assert b"sesame" not in files


async def test_every_reader_of_every_process_has_it_as_it_was_appended(storage: str) -> None:
    async with holding(storage) as table, holding(storage) as other:
        await with_key(table)
        run = await said(table)
        await failed(table, run)
        batch, starts = batch_of(2, tenant="acme")
        await table.store_batch(batch, starts)
        for reader in (table, other):
            read = await reader.read("acme", run)
            assert texts(read) == [MARK] * 3
            assert await follow(reader, run) == read
            assert await reader.get(EVERY, run, "said") == read[3]
            row = await row_of(reader, run)
            assert (row.title, row.metadata) == (MARK, {"user": MARK})
            assert row.error
            assert row.error.message == MARK
            assert row == await fold_of(reader, run)
            assert await reader.find_batch("acme", batch.batch_id) == batch
            pending = await reader.pending_starts(EVERY, batch.batch_id, 10)
            assert [it.run for it in pending] == starts
            one = await reader.pending_start("acme", starts[0].run_id)
            assert one == pending[0]


async def test_a_tail_gives_what_is_appended_meanwhile_once_and_in_order(storage: str) -> None:
    async with holding(storage) as table, holding(storage) as other:
        await with_key(table)
        run = await said(table)
        whole = asyncio.create_task(follow(other, run))
        async with tailing(other, run) as tail:
            newest = (await anext(tail))[-1]
        for number in range(250):
            await table.append(run, [delta(f"{number}")], Fence("0/step/1", 1))
        await table.append(run, [end()])
        assert await whole == await table.read(EVERY, run)
        rest = await follow(other, run, newest)
        assert texts(rest) == [f"{number}" for number in range(250)]


async def test_a_repeated_fact_changes_nothing(storage: str) -> None:
    async with holding(storage) as table:
        await with_key(table)
        run = await said(table)
        before = await table.read(EVERY, run)
        again = await table.append(run, [fact("said", "something else"), fact("said", MARK)])
        assert [(it.seq, it.new) for it in again] == [(4, False)] * 2
        assert await table.read(EVERY, run) == before


async def test_runs_of_other_tenants_and_of_nobody_stay_plain(storage: str) -> None:
    async with holding(storage) as table:
        await with_key(table)
        theirs, nobodys = await said(table, "beta"), fresh_id()
        await table.append(nobodys, [delta(MARK), fact("said", MARK)])
        for run in (theirs, nobodys):
            found = await stored(storage, "SELECT data FROM {s}events WHERE run_id = ?", run)
            assert found
            assert not [data for (data,) in found if data.startswith('{"k":')]


async def test_what_is_older_than_the_key_is_read_and_an_open_run_is_sealed_with_its_next_fact(
    storage: str,
) -> None:
    query = "SELECT state, words FROM {s}run_rows WHERE run_id = ?"
    async with holding(storage) as table, holding(storage) as other:
        older, ended = await said(table), await said(table)
        await failed(table, ended)
        await with_key(table)
        await other.tenant_keys.keys()
        [(state, words)] = await stored(storage, query, older)
        assert MARK in state
        assert "sesame" in words
        await other.append(older, [delta(MARK)])
        await other.append(older, keyed(queued(), STARTED)[1:])  # known already
        assert (await stored(storage, query, older))[0][0] == state
        await failed(other, older)
        [(state, words)] = await stored(storage, query, older)
        assert state.startswith('{"k":"tk_')
        assert "sesame" not in words
        words = await stored(storage, "SELECT word FROM {s}run_words WHERE run_id = ?", older)
        assert "sesame" not in {word for (word,) in words}
        assert texts(await table.read("acme", older)) == [MARK] * 4
        assert await row_of(table, older) == await fold_of(table, older)
        wanted = RunFilter(metadata={"user": MARK})
        found = await table.list_runs("acme", wanted, 10)
        assert {it.row.run_id for it in found} == {older, ended}


async def test_a_reset_folds_sealed_facts_again(storage: str) -> None:
    async with holding(storage) as table:
        await with_key(table)
        run = await said(table)
        await failed(table, run)
        rewound = RunRewound(to_seq=2, epoch=1)
        await table.append(run, [NewEvent(body=rewound, key="rewound/1")])
        row = await row_of(table, run)
        assert row == await fold_of(table, run)
        assert (row.status, row.title, row.waiting_for) == (RunStatus.RUNNING, MARK, ())


async def test_a_run_that_did_not_begin_is_withdrawn(storage: str) -> None:
    async with holding(storage) as table:
        await with_key(table)
        run = fresh_id()
        await table.append(run, keyed(queued(tenant="acme", title=MARK, metadata={"a": "b"})))
        assert await table.withdraw(run)
        for name in ("run_rows", "run_labels", "run_words", "events"):
            assert await stored(storage, f"SELECT 1 FROM {{s}}{name}") == []  # noqa: S608


def test_no_event_looks_like_a_sealed_one() -> None:
    bodies: list[type[BaseModel]] = [*get_args(get_args(EventBody)[0])]
    assert bodies
    fields = [(name, it.alias) for body in bodies for name, it in body.model_fields.items()]
    assert "k" not in {name for names in fields for name in names}


async def test_a_label_longer_than_an_index_entry_is_found(storage: str) -> None:
    long = "x" * 5000
    async with holding(storage) as sealing:
        await with_key(sealing)
        run = await said(sealing, metadata={"user": long})
        found = await sealing.list_runs("acme", RunFilter(metadata={"user": long}), 10)
        assert [it.row.run_id for it in found] == [run]
