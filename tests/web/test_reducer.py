"""The page folds events as `relayline.projections` does: the same journals give the same run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.api.streams.event_filter import SETTLING
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    AttemptSuperseded,
    EventBody,
    InputReceived,
    InputRequested,
    MessageCompleted,
    MessageDelta,
    ModelFallback,
    ReasoningDelta,
    RunForked,
    RunPaused,
    RunQueued,
    RunResumed,
    RunRewound,
    RunWaiting,
    StepStarted,
)
from relayline.contracts.runs import Waiting
from relayline.projections.selection import Selection
from tests.examples import examples
from tests.projections.generated import CALLS, ENDS, NOW, STARTS, USAGES, runs, stored
from tests.web.folding import Reducer, expected


@pytest.fixture(scope="module")
def node_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reducer]:
    started = Reducer(tmp_path_factory.mktemp("model"))
    yield started
    started.close()


TALK: list[EventBody] = [
    StepStarted(model="m"),
    MessageDelta(text="a"),
    MessageDelta(text="bc"),
    ReasoningDelta(text="d"),
    *(AttemptSuperseded(attempt=n, from_seq=0, to_seq=0, reason="lost") for n in (1, 2)),
    ModelFallback.model_validate({"from": "m", "to": "n", "reason": "busy"}),
    MessageCompleted(text="a", tool_calls=(CALLS[0],), finish_reason="stop", usage=USAGES[1]),
]
BELOW = Waiting(kind="approval", id="run_below.approval_1_0", run_id="run_below")
WAITING: list[EventBody] = [
    ApprovalRequested(approval_id="a", call_id="call_1_0", tool="look"),
    ApprovalResolved(approval_id="a", decision="approve", at=NOW),
    InputRequested(request_id="b", question="?"),
    InputReceived(request_id="b", text="!"),
    RunWaiting(waiting_for=(Waiting(kind="input", id="b"), BELOW)),
    RunWaiting(),
    RunPaused(),
    RunResumed(),
    STARTS[0],
    ENDS[0],
    ENDS[-1],
]
talk = st.sampled_from([*product(TALK, (1,), (1, 2, 3))])
waiting = st.sampled_from([*product(WAITING, (None,), (None,))])
back = st.integers(0, 12)


@st.composite
def dense_runs(draw: st.DrawFn) -> list[StoredEvent]:
    """Short runs of few kinds of events, where late ones and resets meet what they change."""
    later = draw(st.sampled_from([None, NOW]))
    first = RunQueued(agent="a", model="m", submitted_at=NOW, start_at=later)
    events = [stored(1, first, None, None)]
    if draw(st.booleans()):
        past = RunForked(run_id="run_source", step=2, to_seq=draw(st.integers(2, 8)))
        events.append(stored(2, past, None, None))
    kind = draw(st.sampled_from([talk, waiting, st.one_of(talk, waiting)]))
    for place in draw(st.lists(st.one_of(kind, kind, kind, kind, back), max_size=20)):
        seq = len(events) + 1
        if isinstance(place, int):
            body = RunRewound(to_seq=min(place, seq - 1), epoch=1)
            events.append(stored(seq, body, None, None))
        else:
            events.append(stored(seq, *place))
    return events


@examples(400)
@given(events=st.one_of(dense_runs(), runs()))
def test_after_each_event_the_page_knows_what_the_projection_knows(
    node_page: Reducer, events: Sequence[StoredEvent]
) -> None:
    folded = node_page.folded(events)
    assert folded["seen"] == expected(events)
    run_open = folded["seen"][-1]["open"] if events else []
    assert sorted(folded["asks"]) == sorted(run_open)


def known(seen: dict[str, Any]) -> dict[str, Any]:
    """What is known of a run but for the steps that have not ended, and reasoning."""
    steps = {number: text for number, _, text, _, ended, *_ in seen["steps"] if ended}
    return {**seen, "steps": steps}


@examples(200)
@given(events=st.one_of(dense_runs(), runs()))
def test_without_the_deltas_of_settled_steps_it_knows_the_same(
    node_page: Reducer, events: Sequence[StoredEvent]
) -> None:
    settled = max([0, *(event.seq for event in events if event.type in SETTLING)])
    wanted = Selection(deltas_after=settled)
    fewer = [event for event in events if wanted.has(event.type, event.seq)]
    if not fewer or fewer[-1] != events[-1]:
        return  # its cursor is an earlier one
    assert known(node_page.folded(fewer)["seen"][-1]) == known(expected(events)[-1])


@given(events=runs(), data=st.data())
def test_events_that_come_again_change_nothing(
    node_page: Reducer, events: Sequence[StoredEvent], data: st.DataObject
) -> None:
    until = data.draw(st.integers(0, len(events)))
    back = data.draw(st.integers(0, until))
    again = [*events[:until], *events[back:until], *events[until:]]
    assert node_page.folded(events)["model"] == node_page.folded(again)["model"]


@examples(200)
@given(events=st.one_of(dense_runs(), runs()), data=st.data())
def test_any_split_into_batches_gives_the_same_run(
    node_page: Reducer, events: Sequence[StoredEvent], data: st.DataObject
) -> None:
    some = data.draw(st.sets(st.integers(1, max(1, len(events)))))
    cuts = sorted({*some, len(events)} & {*range(1, len(events) + 1)})
    split, one_by_one = node_page.folded(events, cuts), node_page.folded(events)
    assert split["seen"] == expected(events, cuts)
    assert split["model"] == one_by_one["model"]


@given(events=st.one_of(dense_runs(), runs()))
def test_every_bar_of_the_timeline_begins_before_it_ends(
    node_page: Reducer, events: Sequence[StoredEvent]
) -> None:
    for row in node_page.folded(events)["rows"]:
        assert row["segments"]
        ends = [(it["from"], it["to"]) for it in row["segments"]]
        assert all(end is None or begin <= end for begin, end in ends), row
