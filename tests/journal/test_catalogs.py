"""The catalogs of builds, on both adapters."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from relayline.contracts.operation.catalogs import CatalogSpecs
from relayline.contracts.runs import AgentSpec, ToolSpec
from relayline.journal.catalogs.specs_by_build import KEPT, KnownCatalog
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import Storage
from relayline.runtime.payloads.ring import ListedKeys

OLD = CatalogSpecs(agents=(AgentSpec(name="clerk", model="rehearsal", instructions="Be brief."),))
NEW = CatalogSpecs(agents=OLD.agents, tools=(ToolSpec(name="price"),))


async def test_each_build_has_the_catalog_that_was_written_last(
    table: Storage, other_table: Storage
) -> None:
    assert list(await table.catalogs.known()) == []
    await table.catalogs.write("", OLD, 1, seen=True)
    await other_table.catalogs.write("b2", NEW, 2, seen=False)
    pushed, first = await table.catalogs.known()
    assert first == KnownCatalog("", OLD.sha256, 1, 1)
    assert pushed == KnownCatalog("b2", NEW.sha256, 2, None)
    assert await table.catalogs.specs(pushed) == NEW
    await table.catalogs.write("b2", NEW, 3, seen=True)
    await table.catalogs.write("b2", NEW, 4, seen=False)
    [again, _] = await other_table.catalogs.known()
    assert again == KnownCatalog("b2", NEW.sha256, 4, 3), "a push leaves when a worker was seen"
    await table.catalogs.write("b2", OLD, 5, seen=False)
    assert (await other_table.catalogs.known())[0].seen_us is None
    assert await other_table.catalogs.specs(again) is None


async def test_the_catalogs_of_old_builds_are_forgotten(table: Storage) -> None:
    for number in range(KEPT + 2):
        await table.catalogs.write(f"b{number}", OLD, number, seen=True)
    known = await table.catalogs.known()
    assert [known[0].build, known[-1].build, len(known)] == [f"b{KEPT + 1}", "b2", KEPT]


def is_in_files(text: bytes, folder: Path) -> bool:
    return any(text in file.read_bytes() for file in folder.glob("journal.db*"))


async def test_where_there_are_keys_a_catalog_is_sealed(tmp_path: Path) -> None:
    ring = ListedKeys.parse("one:" + base64.b64encode(b"k" * 32).decode())
    path = tmp_path / "journal.db"
    sealing, without = SqliteJournal(path, ring), SqliteJournal(path)
    try:
        await sealing.catalogs.write("", OLD, 1, seen=True)
        [known] = await without.catalogs.known()
        assert await sealing.catalogs.specs(known) == OLD
        with pytest.raises(JournalUnavailable, match="sealed by the key 'one'"):
            await without.catalogs.specs(known)
    finally:
        await sealing.close()
        await without.close()
    assert not is_in_files(b"Be brief.", tmp_path)
