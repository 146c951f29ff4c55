"""What holds for every projection, whatever the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError, replace
from itertools import accumulate
from typing import Any, Generic, NamedTuple, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.envelope import StoredEvent
from relayline.projections.losses import Losses
from relayline.projections.projection import Event, Projection, fold
from relayline.projections.rendered import Rendered
from relayline.projections.row import RunRow, dump_row, load_row
from relayline.projections.transcript import Transcript, Unbilled
from relayline.projections.valid import REWOUND, Streamed, Valid
from relayline.projections.waits import Waits
from tests.projections.generated import counted, enveloped, prefixes, runs, unknown

_P = TypeVar("_P", bound=Projection)
Counting = Sequence[StoredEvent]


class Law(NamedTuple, Generic[_P]):
    """A projection, and what it shows of a run besides its cursor."""

    start: _P
    shows: Callable[[_P, Counting], object]
    """Given the projection and the events that count."""


LAWS: dict[str, Law[Any]] = {
    "rendered": Law(Rendered(), lambda it, _: (replace(it, seq=0), [*it.tools], it.waits)),
    "waits": Law(Waits(), lambda it, _: (replace(it, seq=0), it.status, it.waiting_for)),
    "row": Law(RunRow(), lambda it, _: (replace(it, seq=0), it.phase, it.open_items)),
    "transcript": Law(Transcript(), lambda it, _: (it.turns, it.compacted, it.messages)),
    "unbilled": Law(Unbilled(), lambda it, _: it.usage),
    "losses": Law(Losses(), lambda it, _: (it.open, it.worst)),
    "streamed": Law(Streamed(1), lambda it, _: it.attempts),
    "valid": Law(Valid(), lambda it, events: [it.counts(event.seq) for event in events]),
}
laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def states(law: Law[_P], events: Sequence[Event]) -> list[_P]:
    """Before the first event, and after each."""
    return [*accumulate(events, lambda state, event: state.apply(event), initial=law.start)]


@laws
@given(events=runs())
def test_a_prefix_and_then_the_rest_is_all_and_what_was_folded_stays(
    law: Law[Any], events: Counting
) -> None:
    found = states(law, events)
    whole = law.shows(fold(law.start, events), counted(events))
    for count, (state, prefix) in enumerate(zip(found, prefixes(events), strict=True)):
        assert law.shows(fold(state, events[count:]), counted(events)) == whole
        again = fold(law.start, prefix)
        assert law.shows(state, prefix) == law.shows(again, prefix)
    cursors = [state.seq for state in found]
    assert cursors == sorted(cursors)
    assert all(cursor <= count for count, cursor in enumerate(cursors))


@laws
@given(events=runs(), data=st.data())
def test_an_event_that_comes_again_an_older_one_and_an_unknown_one_change_nothing(
    law: Law[Any], events: Counting, data: st.DataObject
) -> None:
    until = data.draw(st.integers(0, len(events)))
    again = data.draw(st.lists(st.sampled_from(events[:until]), max_size=8)) if until else []
    state = fold(law.start, events[:until])
    assert law.shows(fold(state, again), events) == law.shows(state, events)
    assert law.shows(state.apply(unknown(until + 1)), events) == law.shows(state, events)
    whole = fold(law.start, [*events[:until], *again, *events[until:]])
    assert law.shows(whole, events) == law.shows(fold(law.start, events), events)


@laws
@given(events=runs())
def test_what_was_rewound_never_was(law: Law[Any], events: Counting) -> None:
    for prefix in prefixes(events):
        count = counted(prefix)
        assert law.shows(fold(law.start, prefix), count) == law.shows(fold(law.start, count), count)


@laws
@given(events=runs())
def test_events_as_clients_have_them_say_the_same(law: Law[Any], events: Counting) -> None:
    seen = fold(law.start, enveloped(events))
    assert law.shows(seen, events) == law.shows(fold(law.start, events), events)


@laws
def test_a_projection_is_frozen(law: Law[Any]) -> None:
    with pytest.raises(FrozenInstanceError):
        law.start.seq = 1


@given(events=runs())
def test_a_row_is_the_same_after_it_was_stored(events: Counting) -> None:
    """Until a reset, which folds all facts anew, it can also be folded on."""
    row = RunRow()
    for event in events:
        stored = load_row(dump_row(row))
        assert stored == row
        row = row.apply(event)
        if event.type != REWOUND:
            assert stored.apply(event) == row
