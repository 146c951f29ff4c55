"""The runs table: each row is what the facts of its run tell, at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import (
    ApprovalRequested,
    RunCompleted,
    RunPaused,
    RunRewound,
    StepStarted,
    UserMessageEvent,
)
from relayline.contracts.messages import UsageSum
from relayline.contracts.runs import RunStatus
from relayline.journal.port import Fence, RunEnded, StaleAttempt
from relayline.journal.table import EVERY, RunFilter, Storage, Summed
from tests.examples import examples
from tests.journal.rows import (
    STARTED,
    fold_of,
    fresh_id,
    keyed,
    queued,
    row,
)
from tests.journal.samples import delta, end
from tests.projections.generated import UNKNOWN, runs

_own_examples = [HealthCheck.function_scoped_fixture]
"""Every example has runs of its own."""


@given(events=runs(), data=st.data())
@examples(40, suppress_health_check=_own_examples)
async def test_the_row_is_the_fold_of_the_facts_after_each_append(
    table: Storage, other_table: Storage, events: Sequence[StoredEvent], data: st.DataObject
) -> None:
    """Also after appends that are refused, events that come again, and events without a key."""
    run, number = fresh_id(), 0
    known = [event for event in events if event.type != UNKNOWN]
    while number < len(known):
        size = data.draw(st.integers(1, 4))
        new = [
            NewEvent(
                body=it.body(),
                step=it.step,
                key=data.draw(st.sampled_from((f"k{it.seq}", None, "k1"))),
            )
            for it in known[number : number + size]
        ]
        number += size
        with suppress(RunEnded):
            await data.draw(st.sampled_from((table, other_table))).append(run, new)
        assert await row(other_table, run) == await fold_of(table, run)
    fold = await fold_of(table, run)
    mine = RunFilter(words=(run.removeprefix("run-"),))
    expected = {fold.status: Summed(1, UsageSum.of(fold.usage))} if fold.seq else {}
    assert await other_table.sum_runs(EVERY, mine) == expected


async def test_a_run_that_has_only_deltas_or_other_facts_has_no_row(table: Storage) -> None:
    run = fresh_id()
    await table.append(run, [delta()])
    await table.append(run, [], Fence("s", 1))
    assert await table.listed(EVERY, run) is None
    assert await table.list_runs(EVERY, RunFilter(), 10) == []


async def test_the_newest_event_is_told_although_deltas_do_not_change_the_row(
    table: Storage,
) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(), STARTED))
    await table.append(run, [delta(), delta()])
    listed = await table.listed(EVERY, run)
    assert listed is not None
    assert (listed.last_seq, listed.row.seq, listed.attention) == (4, 2, None)


async def test_a_refused_append_changes_no_row(table: Storage) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(), STARTED), Fence("s", 2))
    before = await row(table, run)
    with pytest.raises(StaleAttempt):
        await table.append(run, [NewEvent(body=RunPaused(), key="p")], Fence("s", 1))
    await table.append(run, [end()])
    ended = await row(table, run)
    with pytest.raises(RunEnded):
        await table.append(run, [NewEvent(body=RunPaused(), key="p")])
    assert (before.status, ended.status) == (RunStatus.RUNNING, RunStatus.COMPLETED)
    assert await row(table, run) == ended == await fold_of(table, run)


async def test_many_who_append_to_one_run_leave_the_fold_of_its_facts(
    table: Storage, other_table: Storage
) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(), STARTED))

    async def appends(storage: Storage, name: str) -> None:
        for number in range(20):
            asked = ApprovalRequested(approval_id=f"{name}/{number}", call_id="c", tool="t")
            new = [
                NewEvent(body=StepStarted(model="m"), key=f"step/{number}", step=number),
                NewEvent(body=asked, key=f"request/{name}/{number}"),
            ]
            await storage.append(run, [delta()])
            await storage.append(run, new)

    both = (table, other_table)
    await asyncio.gather(*(appends(it, f"{n}") for n, it in enumerate(both * 4)))
    found = await row(table, run)
    assert found == await fold_of(table, run)
    assert len(found.waiting_for) == 160


async def test_a_sweep_keeps_the_row_and_a_reset_of_a_swept_run_goes_on_from_it(
    table: Storage,
) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(title="Keep me"), STARTED, RunCompleted()))
    kept = await row(table, run)
    await table.sweep(datetime.now(UTC) + timedelta(minutes=1))
    assert await table.read(EVERY, run, 3) == []
    assert await row(table, run) == kept
    await table.append(run, [NewEvent(body=RunRewound(to_seq=0, epoch=1), key="r")])
    again = await row(table, run)
    assert (again.status, again.title, again.epoch) == (RunStatus.RUNNING, "Keep me", 1)


async def test_attention_is_noted_beside_the_facts_and_ends_with_the_run(table: Storage) -> None:
    run, ended, unknown = fresh_id(), fresh_id(), fresh_id()
    await table.append(run, keyed(queued(), STARTED))
    await table.append(ended, keyed(queued(), STARTED, RunCompleted()))
    await table.note_attention({run: "no worker", ended: "no worker", unknown: "no worker"})

    async def attention(of: str) -> str | None:
        listed = await table.listed(EVERY, of)
        assert listed is not None
        return listed.attention

    assert (await attention(run), await attention(ended)) == ("no worker", None)
    assert await table.listed(EVERY, unknown) is None
    await table.append(run, [NewEvent(body=RunPaused(), key="p")])
    assert await attention(run) == "no worker"
    await table.append(run, [end()])
    assert await attention(run) is None


async def test_a_run_is_found_by_its_own_tenant_only(table: Storage) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(tenant="acme")))
    assert await table.listed("acme", run)
    assert await table.listed(EVERY, run)
    assert await table.listed("default", run) is None


async def test_what_no_index_holds_is_found_all_the_same(table: Storage) -> None:
    run, value = fresh_id(), "long" * 2000
    metadata = {"k": value, "nul": "a\0b", "K" * 600: "v"}
    await table.append(run, keyed(queued(metadata=metadata, tenant="t" * 2000, title="w" * 120)))
    for key, has in metadata.items():
        found = await table.list_runs("t" * 2000, RunFilter(metadata={key: has}), 5)
        assert [it.row.run_id for it in found] == [run]
        assert found[0].row.metadata == metadata
    assert await table.list_runs(EVERY, RunFilter(metadata={"k": value + "x"}), 5) == []
    assert await table.list_runs(EVERY, RunFilter(words=("w" * 120,)), 5)


async def test_a_late_word_of_the_submission_moves_the_run_and_its_labels(table: Storage) -> None:
    """`run.queued` may come after `run.started`, when an older worker has written that."""
    run = fresh_id()
    await table.append(run, keyed(STARTED, UserMessageEvent(text="old words")))
    late = queued(title="new words", metadata={"user": "ann"}, tenant="acme")
    await table.append(run, keyed(late))

    async def found(wanted: RunFilter) -> list[str]:
        return [it.row.run_id for it in await table.list_runs("acme", wanted, 5)]

    assert await found(RunFilter(words=("new",), metadata={"user": "ann"})) == [run]
    assert await found(RunFilter(words=("old",))) == []
    assert await table.list_runs("default", RunFilter(), 5) == []
    assert await row(table, run) == await fold_of(table, run)
