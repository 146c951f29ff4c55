"""The runs that the list is measured on: always the same, of every kind, as facts tell them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

from benchmarks.lists import PAGE, cases, figures
from benchmarks.measure import verdict
from benchmarks.population import APART, SINCE, STUCK_EVERY, facts, fill, queued, run_id
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY, RunFilter

MANY = 5_000


def test_the_runs_are_always_the_same_and_in_the_order_of_their_ids() -> None:
    assert [facts(number) for number in range(50)] == [facts(number) for number in range(50)]
    ids = [run_id(number) for number in range(2000)]
    assert all(earlier < later for earlier, later in pairwise(ids))
    assert queued(7).submitted_at == SINCE + 7 * APART


def test_runs_of_every_kind_are_there() -> None:
    ends = Counter(facts(number)[-1].body.type for number in range(MANY))
    assert 0.85 < ends["run.completed"] / MANY < 0.95
    assert all(ends[each] > 100 for each in ("run.failed", "run.cancelled", "run.started"))
    given = [queued(number) for number in range(MANY)]
    assert 50 < sum(it.parent is not None for it in given) < 200
    assert 20 < sum(it.forked_from is not None for it in given) < 100
    assert 200 < sum(it.batch is not None for it in given) < 400
    assert {it.batch for it in given[:100]} == {"batch0"}
    assert 2 < sum(it.agent == "rare" for it in given) < 30


def test_filters_of_each_kind_are_asked_for() -> None:
    asked = [case.wanted for case in cases(MANY).values()]
    for name in RunFilter.__dataclass_fields__:
        assert any(getattr(it, name) != getattr(RunFilter(), name) for it in asked), name


async def test_what_is_filled_in_is_what_the_list_gives(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    try:
        await fill(journal, 2 * PAGE)
        listed = await journal.list_runs(EVERY, RunFilter(), PAGE)
        stuck = await journal.list_runs(EVERY, RunFilter(attention=True), PAGE)
        counts = await journal.count_runs(EVERY, RunFilter())
    finally:
        await journal.close()
    numbers = range(2 * PAGE - 1, PAGE - 1, -1)
    assert [it.row.run_id for it in listed] == [run_id(number) for number in numbers]
    for number, found in zip(numbers, listed, strict=True):
        given = queued(number)
        assert (found.row.agent, found.row.tenant, found.row.metadata) == (
            given.agent,
            given.tenant,
            given.metadata,
        )
        assert found.last_seq == len(facts(number))
    assert sum(counts.values()) == 2 * PAGE
    open_runs = sum(len(facts(number)) == 2 for number in range(2 * PAGE))
    assert len(stuck) == -(-open_runs // STUCK_EVERY)


def test_each_filter_has_its_own_limit() -> None:
    found = figures(100_000, {"no filter": [1.0, 2.0], "open": [20.0, 30.0]}, [0.5])
    assert [(it.name.rpartition("000, ")[2], verdict(it)) for it in found] == [
        ("no filter, p50", ""),
        ("no filter, p95", "ok"),
        ("open, p95", "short x2.00"),
    ]
    assert {it.floor for it in found} == {0.5}
