"""Where a run's time went, in a few stretches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.envelope import microseconds
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    EventBody,
    MessageCompleted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunQueued,
    RunResumed,
    RunRewound,
    RunStarted,
    StepStarted,
    TurnCompleted,
    UserMessageEvent,
)
from relayline.contracts.messages import ToolCall
from relayline.contracts.runs import Limits, RunError
from relayline.projections.line import MAX_STRETCHES, Line
from relayline.projections.row import RunRow, row_of
from tests.projections.generated import NOW, stored

QUEUED = RunQueued(agent="a", model="m", submitted_at=NOW)
STARTED = RunStarted(agent="a", model="m", limits=Limits())
CALLS = (
    ToolCall(call_id="call_1_0", name="look", arguments={"at": "x", "n": 2}),
    ToolCall(call_id="call_1_1", name="look"),
)
ASKS = ApprovalRequested(approval_id="a", call_id="call_1_0", tool="look")
DECIDED = ApprovalResolved(approval_id="a", decision="approve", at=NOW)
DONE = RunCompleted(output="It is  done.\nMore.")


def answer(*calls: ToolCall) -> MessageCompleted:
    return MessageCompleted(text="t", finish_reason="stop", tool_calls=calls)


def after(*told: tuple[int, EventBody]) -> RunRow:
    """The row after events at these milliseconds."""
    start = microseconds(NOW)
    return row_of(
        stored(seq, body, 1 if isinstance(body, StepStarted) else None, None)._replace(
            at_us=start + 1000 * ms
        )
        for seq, (ms, body) in enumerate(told, 1)
    )


FIRST: list[tuple[int, EventBody]] = [
    (0, QUEUED), (66, STARTED), (70, StepStarted(model="m")), (500, answer(*CALLS)),
    (600, ASKS), (2600, DECIDED), (3000, StepStarted(model="m")),
]  # fmt: skip


def test_a_line_has_each_stretch_and_the_open_one() -> None:
    row = after(*FIRST)
    assert row.line.whole == (
        ("queue", 0, 70), ("model", 70, 500), ("tool", 500, 600), ("wait", 600, 2600),
        ("tool", 2600, 3000), ("model", 3000, None),
    )  # fmt: skip
    ended = after(*FIRST, (4000, answer()), (4100, DONE))
    assert ended.line.whole[-1] == ("model", 3000, 4100)
    paused = after(*FIRST, (3500, RunPaused()), (9000, RunResumed()))
    assert paused.line.whole[-2:] == (("pause", 3500, 9000), ("model", 9000, None))


def test_now_tells_what_it_does_and_what_came_of_it() -> None:
    told = [after(*FIRST[:count]).now for count in range(1, len(FIRST) + 1)]
    assert told == [
        ("queue", ""), ("queue", ""), ("model", "step 1"),
        ("tool", "look(at=x, n=2) and 1 more"), ("wait", "approve `look`"),
        ("tool", "look(at=x, n=2) and 1 more"), ("model", "step 1"),
    ]  # fmt: skip
    assert after(*FIRST, (4100, DONE)).now == ("said", "It is done. More.")
    failed = RunFailed(error=RunError(type="model-refused", message="no"))
    assert after(*FIRST, (4100, failed)).now == ("error", "no")
    again = after(*FIRST, (4100, DONE), (5000, RunRewound(to_seq=3, epoch=1)))
    assert again.now == ("model", "step 1")
    assert again.line.whole == (("queue", 0, 70), ("model", 70, None))


def test_between_two_turns_the_line_has_a_gap_and_now_tells_how_the_last_one_ended() -> None:
    queued = (0, QUEUED.model_copy(update={"open": True}))
    turn = [queued, *FIRST[1:], (4000, answer())]
    done = (4100, TurnCompleted(turn=1, status="completed", output="It is  done.\nMore."))
    assert after(*turn, done).now == ("said", "It is done. More.")
    assert after(*turn, done).line.whole[-1] == ("model", 3000, 4100)
    more = after(*turn, done, (9000, UserMessageEvent(text="more", turn=2, command_id="m")))
    assert (more.turn, more.now) == (2, ("model", "step 1"))
    assert more.line.whole[-2:] == (("model", 3000, 4100), ("model", 9000, None))
    error = RunError(type="model-refused", message="no")
    failed = (4100, TurnCompleted(turn=1, status="failed", error=error))
    assert after(*turn, failed).now == ("error", "no")
    assert after(*turn, (4100, TurnCompleted(turn=1, status="cancelled"))).now is None


@given(st.lists(st.tuples(st.sampled_from(["queue", "model", "tool", "wait", "pause", None]),
                          st.integers(0, 1000)), max_size=80))  # fmt: skip
def test_a_line_is_short_in_order_and_without_overlaps(turns: list[tuple[str | None, int]]) -> None:
    line, at_ms = Line(), 0
    for kind, more_ms in turns:
        at_ms += more_ms
        line = line.turned(kind, at_ms)  # type: ignore[arg-type]
        assert len(line.whole) <= MAX_STRETCHES
        ends = [end for _, *bounds in line.ended for end in bounds]
        assert ends == sorted(ends)
        assert all(begin < end for _, begin, end in line.ended)
