"""However much a model says, what is kept, shown and told to the workflow has bounds."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from pydantic import JsonValue

from relayline.activities.arguments import (
    MAX_ALL_ARGUMENTS_BYTES,
    MAX_ARGUMENTS_BYTES,
    bounded,
    malformed,
    unusable,
)
from relayline.activities.model.answer import MAX_ANSWER_BYTES, MAX_QUESTIONS_BYTES, planned
from relayline.activities.model.deltas import MAX_DELTA_CHARS
from relayline.activities.model.port import CallPart, FinishPart, ReasoningPart, TextPart
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.contracts.calls import MAX_CALLS_PER_STEP
from relayline.contracts.events import MessageCompleted, MessageDelta
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.runs import ToolSpec
from relayline.journal.port import Journal
from tests.activities.model.model_calls import Canned, Run, finished
from tests.activities.model.providers.stand_in import serving

PERMISSIVE = ToolSpec(name="ask", asks=True)


async def completed(run: Run) -> MessageCompleted:
    [body] = await run.bodies("message.completed")
    assert isinstance(body, MessageCompleted)
    return body


@pytest.mark.slow
@pytest.mark.parametrize(("model", "size"), [("floods", MAX_ANSWER_BYTES), ("broods", 0)])
async def test_answer_without_end_over_http_is_cut_and_the_provider_hung_up_on(
    journal: Journal, model: str, size: int
) -> None:
    async with serving() as stand_in:
        run = Run(journal, model=f"compatible:{model}")
        async with aclosing(provider_for(ProviderConfig(stand_in.url))) as providers:
            if size:
                result = await run.call(providers)
                assert (result.finish_reason, result.calls) == ("length", ())
                body = await completed(run)
                assert len(body.text.encode()) == size
                assert body.usage.output_tokens == pytest.approx(size / 4, rel=0.2)
            else:
                with pytest.raises(Exception, match=r"empty answer \(length\)"):
                    await run.call(providers)
            await asyncio.wait_for(stand_in.hung_up.wait(), 5)
    shown = [event for event in await run.events() if event.type.endswith(".delta")]
    assert sum(len(event.data.encode()) for event in shown) < 1.1 * MAX_ANSWER_BYTES


async def test_text_up_to_the_bound_is_kept_and_calls_of_a_cut_answer_are_not(
    journal: Journal,
) -> None:
    whole = Run(journal)
    fits = TextPart("é" * (MAX_ANSWER_BYTES // 2))
    result = await whole.call(finished(ReasoningPart("x" * MAX_ANSWER_BYTES), fits))
    assert result.finish_reason == "stop"
    assert (await completed(whole)).text == fits.text
    cut = Run(journal)
    result = await cut.call(finished(CallPart("look", {}), TextPart("x" + fits.text)))
    assert (result.finish_reason, result.calls) == ("length", ())
    assert (await completed(cut)).text == "x" + fits.text[:-1]


async def test_one_huge_piece_becomes_many_deltas(journal: Journal) -> None:
    run = Run(journal)
    text = "0123456789" * 20_000
    await run.call(finished(TextPart(text)))
    deltas = [
        body.text for body in await run.bodies("message.delta") if isinstance(body, MessageDelta)
    ]
    assert "".join(deltas) == text
    assert max(map(len, deltas)) == MAX_DELTA_CHARS


def test_arguments_of_a_call_and_of_all_calls_have_bounds() -> None:
    quarter: dict[str, JsonValue] = {"a": "x" * (MAX_ARGUMENTS_BYTES - len('{"a": ""}'))}
    small: dict[str, JsonValue] = {"b": 1}
    over: dict[str, JsonValue] = {"a": f"{quarter['a']}x"}
    assert bounded([quarter, over, small]) == [
        quarter,
        {"oversize_json": bounded([over])[0]["oversize_json"]},
        small,
    ]
    room = MAX_ALL_ARGUMENTS_BYTES // MAX_ARGUMENTS_BYTES
    kept = bounded([quarter] * (room + 1) + [{}])
    assert kept[:room] == [quarter] * room
    assert all(unusable(arguments) for arguments in kept[room:])


def test_numbers_that_json_does_not_have_make_arguments_malformed() -> None:
    given: list[dict[str, JsonValue]] = [
        {"a": float("inf")},
        {"a": [{"b": float("nan")}]},
        {"a": [{"b": 1e308}], "c": 10**400},
    ]
    first, second, third = bounded(given)
    assert first == {"malformed_json": '{"a": Infinity}'}
    assert second == {"malformed_json": '{"a": [{"b": NaN}]}'}
    assert third == given[2]


@pytest.mark.parametrize("arguments", [malformed('{"a": '), bounded([{"a": "x" * 300_000}])[0]])
def test_unusable_arguments_need_no_person_and_are_named(arguments: dict[str, JsonValue]) -> None:
    always = ToolSpec(name="pay", approval="always")
    call = ToolCall(call_id="call_1_0", name="pay", arguments=arguments)
    assert planned(call, always).approval is False
    assert planned(call.model_copy(update={"arguments": {}}), always).approval is True
    assert "the arguments are" in str(unusable(arguments))
    assert len(str(unusable(arguments))) < 500


async def test_oversize_arguments_are_journaled_as_their_beginning(journal: Journal) -> None:
    run = Run(journal)
    await run.call(finished(CallPart("look", {"a": "x" * 300_000}), CallPart("look", {"a": 1})))
    first, second = (await completed(run)).tool_calls
    assert list(first.arguments) == ["oversize_json"]
    assert len(str(first.arguments)) < 300
    assert second.arguments == {"a": 1}


@pytest.mark.parametrize("char", ["é", "😀", "\x00", '"', "\\", "\u2028"])
async def test_what_the_workflow_gets_is_under_32_kib_whatever_the_model_says(
    journal: Journal, char: str
) -> None:
    run = Run(journal)
    run.agent = run.agent.model_copy(update={"tools": (PERMISSIVE,)})
    choices: list[JsonValue] = [char * 100] * 10
    question = CallPart("ask", {"question": char * 4000, "choices": choices, "within_s": 3})
    huge = CallPart("ask", {"question": "?", "choices": [char * 1000] * 100})
    calls = [question, huge] * (MAX_CALLS_PER_STEP // 2)
    end = FinishPart("stop", Usage(input_tokens=2**40, output_tokens=2**40))
    result = await run.call(Canned(TextPart("x" + char * 5000), *calls, end), step=10_000)
    assert len(result.calls) == MAX_CALLS_PER_STEP
    assert len(result.model_dump_json().encode()) < 32 * 1024
    kept = [call.question for call in result.calls if call.question]
    assert kept
    assert sum(len(it.model_dump_json().encode()) for it in kept) <= MAX_QUESTIONS_BYTES
