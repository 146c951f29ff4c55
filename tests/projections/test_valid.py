"""Which events count after resets and after attempts that were superseded."""

from __future__ import annotations

from hypothesis import given

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import (
    AttemptFailed,
    AttemptSuperseded,
    MessageDelta,
    ReasoningDelta,
    RunPaused,
    RunRewound,
    StepStarted,
)
from relayline.contracts.runs import RunError
from relayline.projections.projection import fold
from relayline.projections.valid import Valid, Void, counting, superseded_attempts
from tests.projections.generated import Place, counted, journal, runs

X = (MessageDelta(text="x"), 1, 1)


def rewound(to_seq: int) -> Place:
    return RunRewound(to_seq=to_seq), None, None


@given(events=runs())
def test_what_counts_is_told_as_by_the_plainest_way(events: list[StoredEvent]) -> None:
    assert counting(iter(events)) == counted(events)


def test_ranges_that_overlap_become_one_and_empty_ones_are_left_out() -> None:
    events = journal(*[X] * 4, rewound(2), X, rewound(6), X, X, rewound(3), X, rewound(11))
    assert fold(Valid(), events[:5]).void == (Void(3, 4),)
    assert fold(Valid(), events[:7]).void == (Void(3, 4),)
    assert fold(Valid(), events[:10]).void == (Void(3, 9),)
    assert [event.seq for event in counting(events)] == [1, 2, 10, 11, 12]


def test_a_reset_without_a_place_leaves_nothing() -> None:
    strange = StoredEvent("run", 3, 3, "run.rewound", None, None, None, '{"to_seq":null}')
    assert counting([*journal(X, X), strange]) == [strange]


def test_the_facts_that_void_say_what_each_attempt_left_and_why() -> None:
    failed = AttemptFailed(error=RunError(type="model-unavailable", message="down"))
    events = journal(
        (StepStarted(model="m"), 1, 1),
        (ReasoningDelta(text="r"), 1, 1),
        (MessageDelta(text="x"), 1, 1),
        (MessageDelta(text="of another step"), 2, 1),
        (RunPaused(), 1, None),
        (MessageDelta(text="y"), 1, 2),
        (failed, 1, 2),
        (failed, 1, 3),
        (MessageDelta(text="of its own"), 1, 4),
    )
    stopped = "the worker stopped in mid-answer"
    assert superseded_attempts(events, scope="0/step/1", step=1, attempt=4) == [
        NewEvent(key=f"0/step/1/superseded/{attempt}", body=body, step=1, attempt=4)
        for attempt, body in (
            (1, AttemptSuperseded(attempt=1, from_seq=2, to_seq=3, reason=stopped)),
            (2, AttemptSuperseded(attempt=2, from_seq=6, to_seq=6, reason="model-unavailable")),
        )
    ]


def test_what_was_streamed_before_a_reset_is_void_already() -> None:
    events = journal((StepStarted(model="m"), 1, 1), X, rewound(1), X, X)
    [fact] = superseded_attempts(events, scope="1/step/1", step=1, attempt=2)
    assert isinstance(fact.body, AttemptSuperseded)
    assert (fact.body.from_seq, fact.body.to_seq) == (4, 5)
