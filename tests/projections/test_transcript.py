"""The transcript is a fold of the journal's facts that every provider accepts."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import accumulate, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.envelope import StoredEvent, body_json
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    ContextCompacted,
    EventBody,
    MessageCompleted,
    MessageDelta,
    MessageInterrupted,
    RunPaused,
    ToolAbandoned,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    UserMessageEvent,
)
from relayline.contracts.messages import (
    AssistantMessage,
    OmittedMessages,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from relayline.projections.projection import Event, fold
from relayline.projections.said import Reading
from relayline.projections.transcript import Transcript, Unbilled, transcript, turns

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stored(*bodies: EventBody) -> list[StoredEvent]:
    return [
        StoredEvent("run_x", seq, 0, body.type, 1, 1, f"key/{seq}", body_json(body))
        for seq, body in enumerate(bodies, start=1)
    ]


def asked(*call_ids: str, text: str = "") -> MessageCompleted:
    calls = tuple(ToolCall(call_id=it, name="look", arguments={"a": 1}) for it in call_ids)
    return MessageCompleted(text=text, tool_calls=calls, finish_reason="tool_calls")


def completed(call_id: str, output: str = "out") -> ToolCompleted:
    return ToolCompleted(call_id=call_id, name="look", output=output)


def test_what_was_said_and_returned_comes_in_order() -> None:
    said = transcript(
        stored(
            UserMessageEvent(text="hi"),
            MessageDelta(text="I "),
            asked("c1", "c2", text="I look"),
            completed("c2", "two"),
            completed("c1", "one"),
            RunPaused(),
            MessageCompleted(text="done", finish_reason="stop"),
        )
    )
    assert [(it.role, it.output if it.role == "tool" else it.text) for it in said] == [
        ("user", "hi"),
        ("assistant", "I look"),
        ("tool", "one"),
        ("tool", "two"),
        ("assistant", "done"),
    ]


def test_result_that_came_after_a_redirect_stands_with_its_call() -> None:
    said = transcript(stored(asked("c1"), UserMessageEvent(text="stop"), completed("c1")))
    assert [it.role for it in said] == ["assistant", "tool", "user"]


def test_each_way_a_call_can_end_is_told_to_the_model() -> None:
    said = transcript(
        stored(
            asked("c1", "c2", "c3", "c4", "c5"),
            ToolFailed(call_id="c1", name="look", error="try again", retryable=True),
            ToolFailed(call_id="c1", name="look", error="no file", retryable=False),
            ToolCancelled(call_id="c2", name="look", acked_at=NOW),
            ToolAbandoned(call_id="c3", name="look"),
            completed("c4"),
        )
    )
    results = [(it.output, it.is_error) for it in said if isinstance(it, ToolMessage)]
    assert results == [
        ("no file", True),
        ("The call was cancelled.", True),
        ("The call was cancelled and did not stop: what it did is unknown.", True),
        ("out", False),
        ("The call did not run.", True),
    ]


def test_interrupted_answer_is_part_of_the_transcript() -> None:
    [said] = transcript(stored(MessageInterrupted(text="half")))
    assert said == AssistantMessage(text="half", interrupted=True)


def test_unknown_types_are_passed_over() -> None:
    later = StoredEvent("run_x", 2, 0, "message.sung", None, None, "k", '{"text":"la"}')
    assert transcript([*stored(UserMessageEvent(text="hi")), later]) == (UserMessage(text="hi"),)


def requested(call_id: str) -> ApprovalRequested:
    return ApprovalRequested(approval_id=f"a_{call_id}", call_id=call_id, tool="look")


def approved(call_id: str, **said: Any) -> ApprovalResolved:
    return ApprovalResolved(
        **{"approval_id": f"a_{call_id}", "decision": "approve", "at": NOW, "by": "ann", **said}
    )


def outputs(*bodies: EventBody) -> list[str]:
    said = transcript(stored(*bodies))
    return [it.output for it in said if isinstance(it, ToolMessage)]


def test_the_model_is_told_what_people_changed_or_noted_when_they_approved() -> None:
    calls = [f"c{n}" for n in range(5)]
    assert outputs(
        asked(*calls),
        *map(requested, calls),
        approved("c0"),
        approved("c1", arguments={"a": "é"}),
        approved("c2", note="mind the gap"),
        approved("c3", arguments={}, note="none"),
        approved("c4", decision="deny", note="no"),
        *(completed(call_id) for call_id in calls[:-1]),
        ToolFailed(call_id="c4", name="look", error="the call was denied by ann: no"),
    ) == [
        "out",
        '[approved with other arguments: {"a": "é"}]\nout',
        "[approved with the note: mind the gap]\nout",
        "[approved with other arguments: {}; with the note: none]\nout",
        "the call was denied by ann: no",
    ]


def test_what_was_said_at_an_approval_stands_over_a_failure_and_over_the_first_result_only() -> (
    None
):
    assert outputs(
        asked("c0", "c1"),
        requested("c0"),
        approved("c0", note="careful"),
        ToolFailed(call_id="c0", name="look", error="again", retryable=True),
        ToolFailed(call_id="c0", name="look", error="broken"),
        completed("c0"),
        completed("c1"),
    ) == ["[approved with the note: careful]\nbroken", "out"]


def test_an_approval_that_nobody_asked_for_says_nothing() -> None:
    assert outputs(asked("c0"), approved("c0", note="hm"), completed("c0")) == ["out"]


CALL_IDS = st.sampled_from([f"c{n}" for n in range(6)])
BODIES = st.one_of(
    st.builds(UserMessageEvent, text=st.text(max_size=5)),
    st.builds(lambda ids: asked(*ids), st.lists(CALL_IDS, max_size=3, unique=True)),
    st.builds(MessageInterrupted, text=st.text(max_size=5)),
    st.builds(completed, CALL_IDS),
    st.builds(
        ToolFailed,
        call_id=CALL_IDS,
        name=st.just("look"),
        error=st.just("no"),
        retryable=st.booleans(),
    ),
    st.builds(ToolAbandoned, call_id=CALL_IDS, name=st.just("look")),
)


@given(bodies=st.lists(BODIES, max_size=30))
def test_every_call_has_exactly_one_result_right_behind_it(bodies: list[EventBody]) -> None:
    said = list(transcript(stored(*bodies)))
    spoken = [it for it in said if not isinstance(it, ToolMessage)]
    given_texts = [
        body.text
        for body in bodies
        if isinstance(body, UserMessageEvent | MessageCompleted | MessageInterrupted)
    ]
    assert [it.text for it in spoken] == given_texts
    while said:
        message = said.pop(0)
        assert not isinstance(message, ToolMessage), "a result without its call"
        calls = message.tool_calls if isinstance(message, AssistantMessage) else ()
        results = [said.pop(0) for _ in calls]
        assert [it.call_id for it in results if isinstance(it, ToolMessage)] == [
            call.call_id for call in calls
        ]


def test_what_was_left_out_is_replaced_by_what_is_said_of_it() -> None:
    facts = stored(
        UserMessageEvent(text="first"),
        UserMessageEvent(text="second"),
        MessageCompleted(text="answer", finish_reason="stop"),
        UserMessageEvent(text="third"),
        ContextCompacted(kind="keep_last", kept_from=3),
        ContextCompacted(kind="summarise", kept_from=4, kept=(1,), summary="they talked"),
    )
    first, omitted, third = transcript(facts)
    assert (first, third) == (UserMessage(text="first"), UserMessage(text="third"))
    assert omitted == OmittedMessages(summary="they talked", count=2, answers=1)
    assert [turn.by_user for turn in turns(facts)] == [True, True, False, True]
    assert [turn.answers for turn in turns(facts)] == [False, False, True, False]


def test_summaries_and_interrupted_answers_are_unbilled_until_a_whole_answer_counts_them() -> None:
    summed = ContextCompacted(kind="summarise", kept_from=1, usage=Usage(output_tokens=2))
    half = MessageInterrupted(text="half", usage=Usage(output_tokens=9))
    facts = stored(summed, half, summed, MessageCompleted(text="", finish_reason="stop"), summed)
    found = [fold(Unbilled(), facts[:count]).usage.output_tokens for count in range(6)]
    assert found == [0, 2, 11, 13, 0, 2]


def test_each_version_has_its_own_turns_whichever_is_asked_first() -> None:
    facts = stored(
        UserMessageEvent(text="hi"),
        asked("c1"),
        UserMessageEvent(text="well?"),
        completed("c1"),
        UserMessageEvent(text="and now?"),
    )
    versions = [*accumulate(facts, lambda it, fact: it.apply(fact), initial=Transcript())]
    expected = [turns(facts[:count]) for count in range(len(versions))]
    for order in permutations(range(len(versions)), 3):
        for asked_for in order:
            assert versions[asked_for].turns == expected[asked_for]


def test_a_fact_is_read_once_however_often_turns_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []

    def take(self: Reading, fact: Event, real: Any = Reading.take) -> None:
        read.append(fact.seq)
        real(self, fact)

    monkeypatch.setattr(Reading, "take", take)
    version = Transcript()
    for fact in stored(*(UserMessageEvent(text=str(number)) for number in range(5))):
        version = version.apply(fact)
        assert version.turns[-1].seq == fact.seq
    assert read == [1, 2, 3, 4, 5]
