"""What is left out of a context that has grown too long, and what never is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relayline.activities.model.compaction import cut, estimated_tokens
from relayline.activities.model.providers.planner import answers_since
from relayline.contracts.compaction import KeepLast, Summarise
from relayline.contracts.envelope import StoredEvent, body_json
from relayline.contracts.events import (
    ContextCompacted,
    EventBody,
    MessageCompleted,
    MessageInterrupted,
    StepStarted,
    ToolCompleted,
    UserMessageEvent,
)
from relayline.contracts.messages import (
    AssistantMessage,
    Message,
    OmittedMessages,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from relayline.projections.said import Turn
from relayline.projections.transcript import flat, shortened, transcript, turns

WORDS = st.integers(0, 60).map("word ".__mul__)
Policy = KeepLast | Summarise


class Story:
    """The facts of a run, written step by step."""

    def __init__(self) -> None:
        self.facts: list[StoredEvent] = []
        self.step = 0
        self.say("do it")

    def add(self, body: EventBody) -> None:
        seq = len(self.facts) + 1
        self.facts.append(
            StoredEvent("run_x", seq, 0, body.type, self.step, 1, str(seq), body_json(body))
        )

    def say(self, text: str) -> None:
        self.add(UserMessageEvent(text=text))

    def answer(self, text: str, outputs: Sequence[str] = (), *, missed: str | None = None) -> None:
        """A step; `missed` is said while the model speaks, so that it can't know of it."""
        self.step += 1
        self.add(StepStarted(model="m"))
        if missed is not None:
            self.say(missed)
        ids = [f"call_{self.step}_{index}" for index, _ in enumerate(outputs)]
        calls = tuple(ToolCall(call_id=it, name="look") for it in ids)
        self.add(MessageCompleted(text=text, tool_calls=calls, finish_reason="stop"))
        for call_id, output in zip(reversed(ids), outputs, strict=True):
            self.add(ToolCompleted(call_id=call_id, name="look", output=output))

    def cut_off(self, text: str) -> None:
        self.step += 1
        self.add(StepStarted(model="m"))
        self.add(MessageInterrupted(text=text))

    def compact(self, policy: Policy, summary: str = "") -> ContextCompacted | None:
        """As the activity does, with a summary of our own."""
        parts = cut(told(self.facts), policy)
        if parts is None:
            return None
        body = ContextCompacted(
            kind=policy.kind,
            kept_from=parts.tail[0].seq,
            kept=tuple(turn.seq for turn in parts.kept),
            summary=summary,
        )
        self.add(body)
        return body


def told(facts: Sequence[StoredEvent]) -> tuple[Turn, ...]:
    bodies = [fact.body() for fact in facts if fact.type == "context.compacted"]
    newest = bodies[-1] if bodies else None
    assert newest is None or isinstance(newest, ContextCompacted)
    return shortened(turns(facts), newest)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    story = Story()
    for _ in range(draw(st.integers(0, 12))):
        match draw(st.sampled_from(["answer", "answer", "answer", "say", "cut_off"])):
            case "answer":
                outputs = draw(st.lists(WORDS, max_size=3))
                missed = draw(st.none() | st.none() | WORDS)
                story.answer(draw(WORDS), outputs, missed=missed)
            case "say":
                story.say(draw(WORDS))
            case _:
                story.cut_off(draw(WORDS))
    return story


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    over = draw(st.integers(2, 600))
    keep = draw(st.integers(1, over - 1))
    if draw(st.booleans()):
        return KeepLast(over_tokens=over, keep_tokens=keep)
    size = draw(st.integers(1, keep))
    return Summarise(over_tokens=over, keep_tokens=keep, summary_tokens=size)


def must_stay(story: Story) -> list[Turn]:
    """By the promise, not by the code."""
    said = turns(story.facts)
    users = [turn for turn in said if isinstance(turn.messages[0], UserMessage)]
    whole = [
        turn
        for turn in said
        if isinstance(turn.messages[0], AssistantMessage) and not turn.messages[0].interrupted
    ]
    if not whole:
        return list(said)
    started = max(
        fact.seq for fact in story.facts if fact.type == "step.started" and fact.seq < whole[-1].seq
    )
    stay = {users[0].seq, users[-1].seq, *(it.seq for it in users if it.seq > started)}
    return [turn for turn in said if turn.seq in stay or turn.seq >= whole[-1].seq]


def newest_answers(messages: Sequence[Message]) -> int:
    """How far a script has come, as the rehearsal counts."""
    newest = max(index for index, it in enumerate(messages) if isinstance(it, UserMessage))
    return answers_since(messages[newest + 1 :])


@given(story=stories(), policy=policies(), more=stories())
def test_what_has_to_stay_stays_in_order_and_no_call_is_parted_from_its_results(
    story: Story, policy: Policy, more: Story
) -> None:
    for _ in range(2):
        whole = flat(turns(story.facts))
        story.compact(policy, "s" * 4 if isinstance(policy, Summarise) else "")
        now = [turn for turn in told(story.facts) if turn.seq]
        assert [turn.seq for turn in now] == sorted(turn.seq for turn in now)
        everything = {turn.seq: turn for turn in turns(story.facts)}
        assert all(everything[turn.seq] == turn for turn in now)
        assert {turn.seq for turn in must_stay(story)} <= {turn.seq for turn in now}
        assert newest_answers(transcript(story.facts)) == newest_answers(whole)
        gaps = [it for it in transcript(story.facts) if isinstance(it, OmittedMessages)]
        assert sum(it.count for it in gaps) + len(flat(now)) == len(whole)
        for fact in more.facts:  # the run goes on, and is compacted once more
            story.add(fact.body())


@given(story=stories(), policy=policies())
def test_a_compacted_context_is_within_its_bound_or_holds_only_what_has_to_stay(
    story: Story, policy: Policy
) -> None:
    before = estimated_tokens(transcript(story.facts))
    summary = policy.summary_tokens if isinstance(policy, Summarise) else 0
    body = story.compact(policy, "s" * 4 * summary)
    after = estimated_tokens(transcript(story.facts))
    stays = estimated_tokens(flat(must_stay(story)))
    place = 24 + summary
    if body is not None:
        assert before > policy.over_tokens
        assert after <= max(policy.keep_tokens, stays + place)
        assert after <= before
    else:
        assert before <= policy.over_tokens or before < stays + place
    assert story.compact(policy) is None, "what was compacted is compacted again"


def test_the_oldest_goes_first_and_an_earlier_summary_goes_with_it() -> None:
    story = Story()
    policy = Summarise(over_tokens=250, keep_tokens=140, summary_tokens=30)
    for number in range(4):
        story.answer(f"answer {number}", ["x" * 200])
    assert story.compact(policy, "first half") is not None
    said = transcript(story.facts)
    gap = OmittedMessages(summary="first half", count=6, answers=3)
    assert said[:3] == (UserMessage(text="do it"), gap, said[2])
    assert gap.text == "[6 earlier messages are left out here. A summary of them:]\nfirst half"
    assert [it.text for it in said if isinstance(it, AssistantMessage)] == ["answer 3"]
    for number in range(4, 7):
        story.answer(f"answer {number}", ["x" * 200])
    parts = cut(told(story.facts), policy)
    assert parts is not None
    assert flat(parts.left_out)[0] == gap
    story.compact(policy, "all of it")
    assert [it for it in transcript(story.facts) if isinstance(it, OmittedMessages)] == [
        OmittedMessages(summary="all of it", count=12, answers=6)
    ]


def test_a_message_that_the_newest_answer_does_not_know_of_stays_word_for_word() -> None:
    story = Story()
    story.answer("one", ["x" * 400])
    story.say("in between")
    story.answer("two", ["x" * 400], missed="stop that")
    story.say("and hurry")
    story.compact(KeepLast(over_tokens=20, keep_tokens=0))
    said = transcript(story.facts)
    users = [it.text for it in said if isinstance(it, UserMessage)]
    assert users == ["do it", "stop that", "and hurry"]
    assert [it.output for it in said if isinstance(it, ToolMessage)] == ["x" * 400]
    assert OmittedMessages(count=3).text == "[3 earlier messages are left out here.]"


def test_a_message_of_a_person_that_stayed_before_may_go_later() -> None:
    story = Story()
    story.answer("one", ["x" * 400])
    story.say("y" * 400)
    story.answer("two", ["x" * 400])
    story.answer("three")
    policy = KeepLast(over_tokens=150, keep_tokens=140)
    assert story.compact(policy) is not None
    story.say("something else")
    story.answer("four", ["z" * 120])
    assert story.compact(policy) is not None
    said = transcript(story.facts)
    assert [it.text for it in said if isinstance(it, UserMessage)] == ["do it", "something else"]
    assert isinstance(said[1], OmittedMessages)
    assert said[1].count == 5


def test_the_estimate_is_four_bytes_a_token_and_four_tokens_a_message() -> None:
    call = ToolCall(call_id="c", name="look", arguments={"a": "é"})
    said: list[Message] = [
        UserMessage(text="12345"),
        AssistantMessage(text="ab", tool_calls=(call,)),
        ToolMessage(call_id="c", name="look", output="é" * 4),
    ]
    assert [estimated_tokens([it]) for it in said] == [4 + 2, 4 + 5, 4 + 2]
    assert estimated_tokens(said) == 21


@pytest.mark.parametrize(
    "wrong",
    [
        {"over_tokens": 10, "keep_tokens": 10},
        {"over_tokens": 0, "keep_tokens": 0},
        {"over_tokens": 10, "keep_tokens": 5, "summary_tokens": 6},
    ],
)
def test_bounds_that_contradict_each_other_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Summarise(**wrong)
