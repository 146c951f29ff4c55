"""The model `rehearsal` plays scripts as the protocol says."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.activities.model.port import BadScript, CallPart, ProviderError, TextPart
from relayline.activities.model.providers.scripted import END_OF_SCRIPT, RehearsalModel
from relayline.catalog.rehearsal import MalformedScript, validate_script
from relayline.contracts.messages import AssistantMessage, Message, OmittedMessages, Usage
from tests.activities.model.providers.asking import (
    answered,
    ask,
    calls_of,
    finish_of,
    prompt,
    text_of,
    thoughts_of,
)

MODEL = RehearsalModel()


def script(*items: object) -> str:
    return json.dumps({"rehearse": items})


async def test_one_step_plays_up_to_and_with_the_next_call_and_the_next_goes_on_there() -> None:
    text = script(
        {"think": "hm hm"},
        {"say": "I read. "},
        {"call": "read_file", "arguments": {"path": "README.md"}},
        {"calls": [{"name": "sleep", "arguments": {"seconds": 0}}, {"name": "calculate"}]},
        {"say": "done"},
    )
    said: list[Message | str] = [text]
    first = await ask(MODEL, prompt(*said))
    assert thoughts_of(first) == "hm hm"
    assert text_of(first) == "I read. "
    assert calls_of(first) == [CallPart("read_file", {"path": "README.md"})]
    assert finish_of(first).reason == "tool_calls"
    said += answered(first, ["content"])
    second = await ask(MODEL, prompt(*said))
    assert calls_of(second) == [CallPart("sleep", {"seconds": 0}), CallPart("calculate", {})]
    said += answered(second, ["", ""], step=2)
    third = await ask(MODEL, prompt(*said))
    assert text_of(third) == "done"
    assert finish_of(third).reason == "stop"
    said += answered(third, step=3)
    assert text_of(await ask(MODEL, prompt(*said))) == "(end of script)"


async def test_interrupted_answer_does_not_count_as_played() -> None:
    text = script({"call": "a"}, {"say": "done"})
    again = await ask(MODEL, prompt(text, AssistantMessage(text="", interrupted=True)))
    assert calls_of(again) == [CallPart("a", {})]


async def test_script_that_ends_with_a_call_ends_with_a_word() -> None:
    text = script({"call": "a"})
    first = await ask(MODEL, prompt(text))
    assert text_of(await ask(MODEL, prompt(text, *answered(first, ["x"])))) == END_OF_SCRIPT.say
    assert text_of(await ask(MODEL, prompt(script()))) == END_OF_SCRIPT.say


async def test_later_plain_text_ends_the_script_and_a_later_script_replaces_it() -> None:
    old = script({"say": "old"}, {"call": "a"})
    assert text_of(await ask(MODEL, prompt(old, "stop that"))) == "Understood: stop that"
    assert text_of(await ask(MODEL, prompt(old, "stop", script({"say": "new"})))) == "new"


@pytest.mark.parametrize("text", ['{"say": "hi"}', "{not json", "[1, 2]", '{"a": {"rehearse": 1}}'])
async def test_text_that_is_no_script_goes_to_the_planner(text: str) -> None:
    assert "rehearsal" in text_of(await ask(MODEL, prompt(text, tools=())))


@pytest.mark.parametrize(("status", "retryable"), [(429, True), (503, True), (401, False)])
async def test_fail_answers_like_a_provider_the_first_times(status: int, retryable: bool) -> None:
    text = script({"say": "a "}, {"fail": status, "retry_after_s": 1.5, "times": 2}, {"say": "b"})
    for attempt in (1, 2):
        with pytest.raises(ProviderError) as caught:
            await ask(MODEL, prompt(text, attempt=attempt))
        assert caught.value.retryable is retryable
        assert (caught.value.status, caught.value.retry_after_s) == (status, 1.5)
    assert text_of(await ask(MODEL, prompt(text, attempt=3))) == "a b"


@given(text=st.text(st.characters(exclude_categories=["Cs"])), words=st.integers(1, 4))
async def test_deltas_put_together_are_the_text(text: str, words: int) -> None:
    parts = await ask(MODEL, prompt(script({"say": text, "words_per_delta": words})))
    pieces = [part.text for part in parts if isinstance(part, TextPart)]
    assert "".join(pieces) == text
    assert all(0 < len(piece.split()) <= words for piece in pieces if piece.strip())


async def test_tokens_are_numbered_words_and_are_counted() -> None:
    parts = await ask(MODEL, prompt(script({"tokens": 5, "words_per_delta": 2})))
    assert [part.text for part in parts if isinstance(part, TextPart)] == ["w1 w2 ", "w3 w4 ", "w5"]
    text = script({"tokens": 3}, {"think": "one two"}, {"call": "a"})
    usage = finish_of(await ask(MODEL, prompt(text, instructions="be brief"))).usage
    assert usage == Usage(input_tokens=2 + len(text.split()), output_tokens=6)


async def test_every_ms_sets_the_pace_and_the_first_delta_comes_at_once() -> None:
    begin = time.monotonic()
    stream = MODEL.stream(prompt(script({"tokens": 6, "every_ms": 30})))
    at = [time.monotonic() - begin async for _ in stream]
    assert at[0] < 0.1
    assert 0.14 <= at[5] < 1


@pytest.mark.parametrize(
    ("items", "named"),
    [
        ({"a": 1}, "list"),
        (None, "list"),
        (["x"], "item 0"),
        ([{"say": "a"}, {"shout": "b"}], "item 1"),
        ([{"say": "a", "think": "b"}], "item 0"),
        ([{"say": 7}], "item 0, field `say`"),
        ([{"say": "a", "every_ms": -1}], "item 0, field `every_ms`"),
        ([{"say": "a", "every_ms": 60_001}], "item 0, field `every_ms`"),
        ([{"say": "a", "pause": 1}], "item 0, field `pause`"),
        ([{"tokens": 1_000_001}], "item 0, field `tokens`"),
        ([{"call": ""}], "item 0, field `call`"),
        ([{"call": "a", "arguments": []}], "item 0, field `arguments`"),
        ([{"calls": []}], "item 0, field `calls`"),
        ([{"calls": [{"nam": "a"}]}], "item 0, field `calls.0.name`"),
        ([{"fail": 200}], "item 0, field `fail`"),
        ([{"fail": 429, "times": 0}], "item 0, field `times`"),
        ([{"say": "a"}] * 1001, "1001 items"),
    ],
)
async def test_bad_script_is_refused_and_the_item_and_field_are_named(
    items: object, named: str
) -> None:
    text = json.dumps({"rehearse": items})
    with pytest.raises(BadScript, match=named):
        await ask(MODEL, prompt(text))
    with pytest.raises(MalformedScript, match=named):
        validate_script(text)


def test_good_scripts_and_plain_text_are_valid() -> None:
    validate_script(script({"say": "a"}, {"fail": 429}))
    validate_script("plain text")


async def test_a_script_goes_on_where_it_was_when_earlier_answers_are_left_out() -> None:
    text = script({"call": "a"}, {"call": "b"}, {"call": "c"}, {"say": "done"})
    left_out = OmittedMessages(count=4, answers=2)
    third = await ask(MODEL, prompt(text, left_out))
    assert [part.name for part in calls_of(third)] == ["c"]
    last = await ask(MODEL, prompt(text, left_out, *answered(third, ["out"], step=3)))
    assert text_of(last) == "done"


async def test_a_summary_is_the_same_for_the_same_words_and_calls_no_tool() -> None:
    asked = prompt("What is 6*7?")._replace(purpose="summary")
    for _ in range(2):
        parts = await ask(MODEL, asked)
        assert text_of(parts) == "A rehearsed summary of 3 words."
        assert not calls_of(parts)
