"""Rendered text equals stored text, whatever was lost, retried and superseded on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.envelope import Envelope
from relayline.contracts.events import (
    AttemptSuperseded,
    ContextCompacted,
    EventBody,
    MessageCompleted,
    MessageDelta,
    MessageInterrupted,
    ReasoningDelta,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunRewound,
    RunStarted,
    StepStarted,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    ToolProgress,
    ToolStarted,
)
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.runs import Limits, RunError, RunStatus
from relayline.projections.rendered import Rendered, render
from relayline.projections.steps import ToolState
from tests.projections.generated import RUN, enveloped, journal

VOID = "\N{SNOWMAN}"
"""Stands, with the attempt's number, in every piece of an attempt that was lost."""


@dataclass
class Step:
    """A model call as it may go: attempts that were lost, then one that is stored."""

    lost: list[list[str]]
    pieces: list[str]
    interrupted: bool
    announced: bool
    """False where a later attempt begins with no `attempt.superseded` before it."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def events(self, step: int) -> Iterator[tuple[EventBody, int | None, int]]:
        yield StepStarted(model="rehearsal"), step, 1
        for attempt, pieces in enumerate(self.lost, 1):
            yield ReasoningDelta(text=f"{VOID}{attempt}"), step, attempt
            for piece in pieces:
                yield MessageDelta(text=f"{VOID}{attempt}{piece}"), step, attempt
            if self.announced:
                body = AttemptSuperseded(attempt=attempt, from_seq=0, to_seq=0, reason="lost")
                yield body, step, attempt + 1
        final = len(self.lost) + 1
        yield ReasoningDelta(text="because"), step, final
        for piece in self.pieces:
            yield MessageDelta(text=piece), step, final
        if self.interrupted:
            yield MessageInterrupted(text=self.text), step, final
        else:
            yield MessageCompleted(text=self.text, finish_reason="stop"), step, final


texts = st.lists(st.text(st.characters(exclude_characters=VOID, codec="utf-8"), max_size=8))
steps = st.builds(Step, st.lists(texts, max_size=3), texts, st.booleans(), st.booleans())
runs = st.lists(steps, min_size=1, max_size=4)


@given(runs)
def test_at_the_end_the_text_of_each_step_is_that_of_its_message(run: list[Step]) -> None:
    events = journal(*(event for n, step in enumerate(run, 1) for event in step.events(n)))
    rendered = render(events)
    for number, step in enumerate(run, 1):
        assert rendered.text(number) == step.text
        assert rendered.steps[number].interrupted == step.interrupted
        assert rendered.steps[number].reasoning == "because"


@given(runs)
def test_before_the_message_stands_the_text_is_that_of_the_latest_attempt(run: list[Step]) -> None:
    for step in run:
        *deltas, _message = step.events(1)
        assert render(journal(*deltas)).text(1) == step.text


@given(runs)
def test_superseded_text_never_shows(run: list[Step]) -> None:
    for step in run:
        rendered, void = Rendered(), set[str]()
        for event in journal(*step.events(1)):
            rendered = rendered.apply(event)
            body = event.body()
            if isinstance(body, AttemptSuperseded):
                void.add(f"{VOID}{body.attempt}")
            shown = rendered.steps[1]
            assert not any(mark in shown.text + shown.reasoning for mark in void)


@given(runs, st.data())
def test_events_that_come_twice_change_nothing(run: list[Step], data: st.DataObject) -> None:
    events = journal(*(event for n, step in enumerate(run, 1) for event in step.events(n)))
    back_to = data.draw(st.integers(0, len(events)))
    again = data.draw(st.integers(0, len(events)))
    assert render([*events[:again], *events[back_to:again], *events[again:]]) == render(events)


@given(runs)
def test_envelopes_render_as_stored_events_do(run: list[Step]) -> None:
    events = journal(*(event for n, step in enumerate(run, 1) for event in step.events(n)))
    assert render(enveloped(events)) == render(events)


def test_a_late_delta_of_a_superseded_attempt_is_left_out() -> None:
    rendered = render(
        journal(
            (MessageDelta(text="lost"), 1, 1),
            (AttemptSuperseded(attempt=1, from_seq=1, to_seq=1, reason="lost"), 1, 2),
            (MessageDelta(text="late"), 1, 1),
        )
    )
    assert rendered.text(1) == ""
    assert rendered.steps[1].attempt == 2


def test_a_delta_after_the_message_changes_nothing() -> None:
    message = MessageCompleted(text="whole", finish_reason="stop")
    assert render(journal((message, 1, 1), (MessageDelta(text="more"), 1, 2))).text(1) == "whole"


def test_a_message_asks_for_tools_and_their_events_move_them_on() -> None:
    call = ToolCall(call_id="call_1_0", name="sleep", arguments={"seconds": 1})
    message = MessageCompleted(text="", tool_calls=(call,), finish_reason="tool_calls")
    started = ToolStarted(call_id="call_1_0", name="sleep", arguments={"seconds": 1})
    progress = ToolProgress(call_id="call_1_0", message="half", fraction=0.5)
    failed = ToolFailed(call_id="call_1_0", name="sleep", error="no", retryable=True)
    done = ToolCompleted(call_id="call_1_0", name="sleep", output="slept", truncated=True)
    events = journal(*((body, 1, 1) for body in (message, started, progress, failed, done)))
    seen = [render(events[:count]).tools["call_1_0"] for count in range(1, 6)]
    states = [ToolState.REQUESTED, ToolState.RUNNING, ToolState.RUNNING]
    assert [tool.state for tool in seen] == [*states, ToolState.RETRYING, ToolState.COMPLETED]
    assert seen[0].arguments == seen[-1].arguments == {"seconds": 1}
    assert (seen[2].progress, seen[3].output, seen[4].output) == ("half", "no", "slept")
    assert seen[-1].truncated


def test_a_failed_and_a_stopped_tool_say_so() -> None:
    failed = ToolFailed(call_id="a", name="x", error="broken")
    stopped = ToolCancelled(call_id="b", name="y", acked_at=datetime.now(UTC))
    tools = render(journal((failed, 1, 1), (stopped, 1, 1))).tools
    assert (tools["a"].state, tools["a"].output) == (ToolState.FAILED, "broken")
    assert tools["b"].state is ToolState.CANCELLED


def test_the_run_has_the_status_output_and_usage_that_its_events_give() -> None:
    started = RunStarted(agent="assistant", model="rehearsal", limits=Limits())
    usage = Usage(input_tokens=3, output_tokens=4)
    message = MessageCompleted(text="hi", finish_reason="stop", usage=usage)
    ended = RunCompleted(output="hi", usage=Usage(input_tokens=30, output_tokens=40))
    events = journal((started, None, 1), (RunPaused(), None, 1), (message, 1, 1), (ended, None, 1))
    seen = [render(events[:count]) for count in range(5)]
    statuses = [RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.PAUSED]
    assert [rendered.status for rendered in seen] == [*statuses, RunStatus.COMPLETED]
    assert seen[3].usage == usage
    assert (seen[4].usage.total_tokens, seen[4].output, seen[4].step) == (70, "hi", 1)
    assert seen[4].seq == 4


def test_a_failed_run_has_its_error() -> None:
    error = RunError(type="model-refused", message="no key", step=1)
    rendered = render(journal((RunFailed(error=error), None, 1)))
    assert (rendered.status, rendered.error) == (RunStatus.FAILED, error)


def test_unknown_types_and_strange_data_change_nothing_but_the_cursor() -> None:
    envelopes = [
        Envelope(seq=1, run_id=RUN, at=datetime.now(UTC), type="mood.changed", data={"to": "good"}),
        Envelope(seq=2, run_id=RUN, at=datetime.now(UTC), type="mood.x", step=1, data={}),
        Envelope(
            seq=3, run_id=RUN, at=datetime.now(UTC), type="attempt.superseded", step=1, data={}
        ),
    ]
    assert render(envelopes) == Rendered(seq=3)


def test_what_a_model_is_told_no_more_still_shows() -> None:
    spoken = MessageCompleted(text="long ago", finish_reason="stop")
    compacted = ContextCompacted(kind="keep_last", kept_from=9, left_out=1)
    rendered = render(journal((spoken, 1, 1), (StepStarted(model="m"), 2, 1), (compacted, 2, 1)))
    assert (rendered.text(1), rendered.text(2), rendered.step) == ("long ago", "", 2)
    assert rendered.status is RunStatus.QUEUED


def test_after_a_reset_what_had_not_ended_starts_over_and_what_had_ended_stays() -> None:
    call = ToolCall(call_id="call_1_0", name="sleep", arguments={"seconds": 1})
    other = ToolCall(call_id="call_1_1", name="look")
    message = MessageCompleted(text="one", tool_calls=(call, other), finish_reason="tool_calls")
    events = journal(
        (message, 1, 1),
        (ToolStarted(call_id="call_1_0", name="sleep", arguments={"seconds": 2}), 1, 1),
        (ToolCompleted(call_id="call_1_1", name="look", output="seen", truncated=True), 1, 1),
        (StepStarted(model="m"), 2, 1),
        (MessageDelta(text="tw"), 2, 1),
        (ToolProgress(call_id="call_1_0", message="half"), 1, 1),
        (MessageCompleted(text="two", finish_reason="stop"), 2, 1),
        (ToolCompleted(call_id="call_1_0", name="sleep", output="slept"), 1, 1),
        (RunCompleted(output="two", usage=Usage(input_tokens=1)), None, None),
        (RunRewound(to_seq=5, epoch=1), None, None),
    )
    rendered = render(events)
    assert (rendered.status, rendered.output, rendered.final_usage) == ("running", None, None)
    assert {number: step.text for number, step in rendered.steps.items()} == {1: "one", 2: ""}
    sleep, look = rendered.tools.values()
    assert (sleep.state, sleep.arguments, sleep.output, sleep.progress) == (
        ToolState.REQUESTED,
        {"seconds": 2},
        "",
        "",
    )
    assert (look.state, look.output, look.truncated) == (ToolState.COMPLETED, "seen", True)
    again = render([*events, *journal(*[(RunRewound(to_seq=1, epoch=2), None, None)] * 11)[10:]])
    assert list(again.steps) == [1]
    assert [tool.arguments for tool in again.tools.values()] == [{"seconds": 1}, {}]
    assert {tool.state for tool in again.tools.values()} == {ToolState.REQUESTED}


def test_a_step_that_had_ended_and_began_again_is_as_it_was() -> None:
    message = MessageCompleted(text="one", finish_reason="stop")
    begin = StepStarted(model="m"), 1, 1
    events = journal(begin, (message, 1, 1), begin, (RunRewound(to_seq=2, epoch=1), None, None))
    assert render(events[:3]).text(1) == ""
    assert (render(events).text(1), render(events).steps[1].ended) == ("one", True)


def test_long_runs_keep_little_of_what_was() -> None:
    pieces = [(MessageDelta(text="x" * 100), 1, 1)] * 500
    words = [(ToolProgress(call_id="c", message="on"), 1, 1)] * 500
    rendered = render(journal((StepStarted(model="m"), 1, 1), *pieces, *words))
    step, tool = rendered.steps[1], rendered.tools["c"]
    assert step.before is not None
    assert tool.before is not None
    assert (step.before.text, step.before.before) == ("", None)
    assert tool.before.before is None
