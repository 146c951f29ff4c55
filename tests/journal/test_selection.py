"""What every journal guarantees of reading some of a run's events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import ReasoningDelta
from relayline.journal.port import CursorExpired, Journal
from relayline.journal.table import EVERY
from relayline.projections.selection import MAX_SEQ, Selection
from tests.journal.samples import delta, end, fact, fresh_run, seqs

THOUGHT = NewEvent(body=ReasoningDelta(text="hm"), step=1, attempt=1)
EVENTS = [fact("a"), THOUGHT, delta(), fact("b"), delta(), THOUGHT, fact("c"), delta(), end()]
TYPES = ["message.user", "message.delta", "reasoning.delta", "run.completed", "run.paused"]


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    last = len(EVENTS) + 2
    types = draw(st.frozensets(st.sampled_from(TYPES), max_size=3))
    before = draw(st.one_of(st.just(MAX_SEQ), st.integers(1, last)))
    return Selection(types, draw(st.integers(0, last)), before)


def expected(whole: list[StoredEvent], after: int, limit: int, wanted: Selection) -> list[int]:
    found = [
        it.seq
        for it in whole
        if after < it.seq < wanted.before and wanted.has(it.type, it.seq)
    ]  # fmt: skip
    if wanted.before == MAX_SEQ:
        return found[:limit]
    return found[max(0, len(found) - limit) :]


async def test_a_selection_is_what_a_filter_of_all_events_gives(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, EVENTS)
    whole = await journal.read(EVERY, run)
    tried: list[tuple[int, int, Selection]] = []

    @given(st.integers(0, 10), st.integers(0, 10), selections())
    def drawn(after: int, limit: int, wanted: Selection) -> None:
        tried.append((after, limit, wanted))

    drawn()
    for after, limit, wanted in tried:
        found = await journal.read(EVERY, run, after, limit, selection=wanted)
        assert seqs(found) == expected(whole, after, limit, wanted), (after, limit, wanted)


async def test_bytes_bound_the_newest_before_a_place(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [fact(str(n), "x" * 1000) for n in range(9)])
    size = len((await journal.read(EVERY, run, 0, 1))[0].data.encode())
    wanted = Selection(before=8)
    assert seqs(await journal.read(EVERY, run, selection=wanted, max_bytes=3 * size)) == [5, 6, 7]
    assert seqs(await journal.read(EVERY, run, selection=wanted, max_bytes=1)) == [7]


async def test_pages_backwards_stop_at_swept_events(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, EVENTS)
    assert await journal.read(EVERY, run, selection=Selection(before=1)) == []
    await journal.sweep(datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(CursorExpired):
        await journal.read(EVERY, run, selection=Selection(before=4))
    assert await journal.read(EVERY, run, selection=Selection(before=MAX_SEQ - 1)) == []
