"""The catalogs of builds, on both adapters."""

from __future__ import annotations

from relayline.contracts.operation.catalogs import CatalogSpecs
from relayline.contracts.runs import AgentSpec, ToolSpec
from relayline.journal.catalogs.specs_by_build import KEPT, KnownCatalog
from relayline.journal.table import Storage

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
