"""The runs that the list is measured on: always the same, of every kind, as facts tell them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.bulk import fill_postgres, fill_sqlite
from benchmarks.lists import PAGE, cases, figures
from benchmarks.measure import verdict
from benchmarks.population import APART, SINCE, STUCK_EVERY, facts, note_stuck, queued, run_id
from relayline.journal.table import EVERY, RunFilter
from relayline.projections.line import Line
from tests.journal.storage import ADAPTERS, new_storage, open_table

MANY = 5_000
FILTERS = (
    RunFilter(),
    RunFilter(open=True),
    RunFilter(agent="clerk"),
    RunFilter(metadata={"team": "t7"}),
    RunFilter(words=("word1",)),
    RunFilter(batch="batch0"),
    RunFilter(attention=True),
    RunFilter(conversation=True),
)


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


@pytest.fixture(params=ADAPTERS)
def storages(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Two empty journals of one kind."""
    folders = (tmp_path / "bulk", tmp_path / "appended")
    return [
        new_storage(request.param, folder, lambda: request.getfixturevalue("postgres"))
        for folder in folders
    ]


@pytest.mark.slow
async def test_what_is_filled_in_at_once_is_what_appends_would_have_written(
    storages: list[str],
) -> None:
    bulk, appended = storages
    (adapter, _, where), runs = bulk.partition(":"), 2 * PAGE
    one, other = open_table(bulk), open_table(appended)
    await one.check()
    await (fill_sqlite(Path(where), runs) if adapter == "sqlite" else fill_postgres(where, runs))
    for number in range(runs):
        await other.append(run_id(number), facts(number))
    for storage in (one, other):
        await note_stuck(storage, runs)
    for wanted in FILTERS:
        found, expected = [
            [
                (
                    replace(it.row, updated_at=None, ended_at=None, line=Line()),
                    it.last_seq,
                    it.attention,
                )
                for it in await storage.list_runs(EVERY, wanted, PAGE)
            ]
            for storage in (one, other)
        ]
        assert found == expected
    assert await one.count_runs(EVERY, RunFilter()) == await other.count_runs(EVERY, RunFilter())
    started = sum(len(facts(number)) == 2 for number in range(runs))
    assert len(await one.list_runs(EVERY, RunFilter(attention=True), PAGE)) == -(
        -started // STUCK_EVERY
    )
    newest = await one.read(EVERY, run_id(runs - 1))
    assert [event.key for event in newest] == [fact.key for fact in facts(runs - 1)]
    for storage in (one, other):
        await storage.close()


def test_each_filter_has_its_own_limit() -> None:
    found = figures(100_000, {"no filter": [1.0, 2.0], "open": [20.0, 30.0]}, [0.5])
    assert [(it.name.rpartition("000, ")[2], verdict(it)) for it in found] == [
        ("no filter, p50", ""),
        ("no filter, p95", "ok"),
        ("open, p95", "short x2.00"),
    ]
    assert {it.floor for it in found} == {0.5}
