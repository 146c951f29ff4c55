"""Lists of tenants with keys: by metadata through digests, by words of the id alone."""

from __future__ import annotations

from relayline.contracts.runs import RunStatus
from relayline.journal.table import EVERY, RunFilter, Storage, Tenant
from relayline.journal.tenants.labels import FOLLOWED
from tests.journal.rows import pages
from tests.journal.tenants.keeping import MARK, failed, holding, said, stored, with_key


async def listed(table: Storage, tenant: Tenant, wanted: RunFilter) -> set[str]:
    """The ids of all pages; their number is what is counted."""
    found = [it.row.run_id async for page in pages(table, tenant, wanted, 2) for it in page]
    counted = await table.count_runs(tenant, wanted)
    sums = await table.sum_runs(tenant, wanted)
    assert len(found) == len({*found}) == sum(counted.values())
    assert {status: it.runs for status, it in sums.items()} == counted
    return {*found}


async def test_metadata_finds_runs_from_before_the_key_and_after_it_and_of_other_tenants(
    storage: str,
) -> None:
    async with holding(storage) as table, holding(storage) as other:
        older = await said(table, "acme", metadata={"user": "ann", "ticket": "1"})
        await with_key(table)
        await other.tenant_keys.keys()
        newer = await said(table, "acme", metadata={"user": "ann", "ticket": "2"})
        bobs = await said(table, "acme", metadata={"user": "bob", "ticket": "2"})
        betas = await said(table, "beta", metadata={"user": "ann", "ticket": "2"})
        await failed(table, bobs)
        for reader in (table, other):
            anns, second = RunFilter(metadata={"user": "ann"}), {"user": "ann", "ticket": "2"}
            assert await listed(reader, "acme", anns) == {older, newer}
            assert await listed(reader, EVERY, anns) == {older, newer, betas}
            assert await listed(reader, "acme", RunFilter(metadata=second)) == {newer}
            assert await listed(reader, "beta", RunFilter(metadata=second)) == {betas}
            both = RunFilter(metadata={"ticket": "2"}, statuses=frozenset({RunStatus.FAILED}))
            assert await listed(reader, EVERY, both) == {bobs}
            assert await listed(reader, "acme", RunFilter(metadata={"user": "an"})) == set()


async def test_words_find_ids_only(storage: str) -> None:
    async with holding(storage) as table:
        await with_key(table)
        mine = await said(table, title="secret plan", metadata={"user": "ann"})
        theirs = await said(table, "beta", title="secret plan")
        assert await listed(table, EVERY, RunFilter(words=("secret",))) == {theirs}
        assert await listed(table, "acme", RunFilter(words=("plan", "ann"))) == set()
        assert await listed(table, "acme", RunFilter(words=(mine[:8],))) == {mine}


async def test_conversations_are_found_with_a_key_and_without_one(storage: str) -> None:
    async with holding(storage) as table:
        older = await said(table, open=True)
        await with_key(table)
        newer, plain = await said(table, open=True), await said(table)
        assert await listed(table, "acme", RunFilter(conversation=True)) == {older, newer}
        assert await listed(table, EVERY, RunFilter(conversation=False)) == {plain}
        talks = RunFilter(conversation=True, metadata={"user": MARK})
        assert await listed(table, EVERY, talks) == {older, newer}
        await failed(table, older)  # its row is sealed from now on
        assert await listed(table, "acme", talks) == {older, newer}


async def test_labels_of_many_keys_are_found_in_order(storage: str) -> None:
    async with holding(storage) as table:
        runs = set[str]()
        for number in range(FOLLOWED + 2):
            await with_key(table, f"tenant-{number}")
            runs.add(await said(table, f"tenant-{number}", metadata={"user": "ann", "a": "b"}))
        for wanted in ({"user": "ann"}, {"user": "ann", "a": "b"}):
            assert await listed(table, EVERY, RunFilter(metadata=wanted)) == runs


async def test_the_same_label_of_two_tenants_has_two_digests_and_no_name(storage: str) -> None:
    async with holding(storage) as table:
        for tenant in ("acme", "beta"):
            await with_key(table, tenant)
            await said(table, tenant, metadata={"user": "ann"})
        labels = await stored(storage, "SELECT key, value FROM {s}run_labels")
        assert len({*labels}) == 2
        assert all(part.startswith("hmac:") for label in labels for part in label)
