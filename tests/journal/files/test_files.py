"""Files beside the journal, on both adapters."""

from __future__ import annotations

import asyncio
import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest

from relayline.journal.files.file_port import CHUNK_BYTES, FileGone, NewFile
from relayline.journal.port import JournalUnavailable, TenantErased
from relayline.journal.table import EVERY, Storage
from tests.journal.files.filing import fresh_file_id, make_old, pieces, read, written
from tests.journal.rows import fresh_id
from tests.journal.tenants.keeping import change, failed, holding, row, said, with_key

SIZES = (1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES)


async def test_a_file_is_read_as_it_was_written_whatever_its_size_and_the_pieces_it_came_in(
    table: Storage, other_table: Storage
) -> None:
    for size in SIZES:
        data = os.urandom(size)
        writer = await table.files.begin(NewFile(fresh_file_id(), "acme", "naïve 🙂.bin"))
        for start in range(0, size, 100_000):
            await writer.write(data[start : start + 100_000])
        file = await writer.finish("image/png")
        found = await other_table.files.find("acme", file.file_id)
        assert found == file
        assert (found.size, found.name, found.type) == (size, "naïve 🙂.bin", "image/png")
        assert found.sha256 == hashlib.sha256(data).hexdigest()
        assert await read(other_table, found) == data
    assert await table.files.held("acme") == sum(SIZES)
    assert await table.files.held("beta") == 0


async def test_a_file_is_there_whole_or_not_at_all_and_for_its_tenant_alone(
    table: Storage, storage: str
) -> None:
    half = await table.files.begin(NewFile(file_id := fresh_file_id(), "acme", "half"))
    await half.write(os.urandom(2 * CHUNK_BYTES))
    assert await table.files.find(EVERY, file_id) is None
    assert await table.files.name(EVERY, fresh_id(), [file_id]) == {}
    assert len(await pieces(storage, file_id)) >= 2 * CHUNK_BYTES
    await half.abort()
    assert not await pieces(storage, file_id)
    with pytest.raises(FileGone):
        await half.finish("text/plain")
    whole = await written(table, b"x")
    assert await table.files.find("beta", whole.file_id) is None
    assert await table.files.name("beta", fresh_id(), [whole.file_id]) == {}
    assert await table.files.find(EVERY, whole.file_id) == whole


async def test_what_a_dead_process_has_begun_is_swept(table: Storage, storage: str) -> None:
    half = await table.files.begin(NewFile(file_id := fresh_file_id(), "acme", "half"))
    await half.write(os.urandom(CHUNK_BYTES))
    assert await table.files.sweep(10) == 0
    await make_old(storage, file_id)
    assert await table.files.sweep(10) == 1
    assert not await pieces(storage, file_id)


async def test_a_file_lives_while_a_run_names_it(table: Storage, storage: str) -> None:
    unnamed, named = await written(table, b"unnamed"), await written(table, b"named")
    run = await said(table)
    found = await table.files.name("acme", run, [named.file_id, named.file_id, "file_none"])
    assert list(found) == [named.file_id]
    assert await table.files.find_named(run, unnamed.file_id) is None
    for file in (unnamed, named):
        await make_old(storage, file.file_id)
    assert await table.files.sweep(10) == 1
    assert await table.files.find(EVERY, unnamed.file_id) is None
    kept = await table.files.find_named(run, named.file_id)
    assert kept
    assert await read(table, kept) == b"named"


async def test_naming_a_file_keeps_it_though_it_was_about_to_expire(
    table: Storage, storage: str
) -> None:
    file = await written(table, b"x")
    await make_old(storage, file.file_id)
    run = fresh_id()  # which never begins
    assert await table.files.name("acme", run, [file.file_id])
    assert await table.files.sweep(10) == 0
    await make_old(storage, file.file_id)
    assert await table.files.sweep(10) == 1


async def test_names_and_sweeps_at_once_lose_no_named_file(
    table: Storage, other_table: Storage, storage: str
) -> None:
    for _ in range(20):
        file = await written(table, b"x")
        await make_old(storage, file.file_id)
        run = await said(table)
        named, _ = await asyncio.gather(
            table.files.name("acme", run, [file.file_id]), other_table.files.sweep(100)
        )
        there = await table.files.find_named(run, file.file_id)
        assert bool(named) == (there is not None)
        if there:
            assert await read(table, there) == b"x"


async def test_erasing_a_run_erases_the_files_that_only_it_named(
    table: Storage, storage: str
) -> None:
    own, shared, other = [await written(table, it) for it in (b"own", b"shared", b"other")]
    run, fork = await said(table), await said(table)
    await table.files.name("acme", run, [own.file_id, shared.file_id])
    await table.files.name("acme", fork, [shared.file_id])
    await failed(table, run)
    await table.erase("acme", run)
    assert await table.files.find(EVERY, own.file_id) is None
    assert not await pieces(storage, own.file_id)
    assert await table.files.find_named(run, shared.file_id) is None
    assert await table.files.find_named(fork, shared.file_id)
    assert await table.files.find(EVERY, other.file_id)


async def test_a_fork_names_what_its_run_names(table: Storage) -> None:
    file = await written(table, b"x")
    run, fork = await said(table), await said(table)
    await table.files.name("acme", run, [file.file_id])
    await table.files.copy_names(run, fork)
    await table.files.copy_names(run, fork)
    await failed(table, run)
    await table.erase("acme", run)
    assert await table.files.find_named(fork, file.file_id)
    await failed(table, fork)
    await table.erase("acme", fork)
    assert await table.files.find(EVERY, file.file_id) is None


async def test_files_go_with_the_events_of_their_run(table: Storage, storage: str) -> None:
    file = await written(table, b"x")
    run = await said(table)
    await table.files.name("acme", run, [file.file_id])
    await failed(table, run)
    await make_old(storage, file.file_id)
    assert await table.files.sweep(10) == 0
    assert await table.sweep(datetime.now(UTC) + timedelta(days=1)) == 1
    assert await table.files.sweep(10) == 1
    assert not await pieces(storage, file.file_id)


async def test_erasing_a_tenant_erases_all_its_files(table: Storage) -> None:
    theirs, others = await written(table, b"x"), await written(table, b"y", "beta")
    run = await said(table)
    await table.files.name("acme", run, [theirs.file_id])
    while await table.erase_runs("acme", 100):
        pass
    assert await table.files.find(EVERY, theirs.file_id) is None
    assert await table.files.find(EVERY, others.file_id)
    unnamed = await written(table, b"z")
    assert await table.erase_runs("acme", 100) == 0
    assert await table.files.find(EVERY, unnamed.file_id) is None


async def test_bytes_and_names_are_sealed_where_content_is(storage: str) -> None:
    async with holding(storage) as table:
        by_ring = await written(table, b"sesame " * 100_000, "beta", "sesame.txt")
        await with_key(table)
        by_tenant = await written(table, b"sesame " * 100_000, "acme", "sesame.txt")
        for file in (by_ring, by_tenant):
            found = await table.files.find(file.tenant, file.file_id)
            assert found
            assert found.name == "sesame.txt"
            assert await read(table, found) == b"sesame " * 100_000
            kept = await pieces(storage, file.file_id)
            assert kept
            assert b"sesame" not in kept
        query = "UPDATE {s}files SET key = '' WHERE file_id = ?"
        await change(storage, query, by_tenant.file_id)
        bare = await table.files.find(EVERY, by_tenant.file_id)
        assert bare
        assert "sesame" not in bare.name


async def test_a_tenant_whose_key_is_erased_can_store_nothing(storage: str) -> None:
    async with holding(storage) as table:
        await with_key(table)
        await written(table, b"x")
        await table.tenant_keys.begin_erasing("acme", row("tenant-key.erase"))
        with pytest.raises(TenantErased):
            await written(table, b"y")


async def test_a_piece_that_was_changed_is_not_given_out(storage: str) -> None:
    async with holding(storage) as table:
        first = await written(table, b"first")
        second = await written(table, b"other")
        swapped = second._replace(file_id=first.file_id)
        with pytest.raises(JournalUnavailable, match="belongs elsewhere"):
            await read(table, swapped._replace(tenant="beta"))
