"""A summary in place of what is left out: paid for once, bounded, and never in the way."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from temporalio.exceptions import ApplicationError

from relayline.activities.model.port import FinishPart, TextPart
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import UserMessageEvent
from relayline.contracts.messages import OmittedMessages, Usage, UserMessage
from relayline.journal.port import Journal
from tests.activities.model.growing import (
    BUSY,
    REFUSED,
    SUM_UP,
    USED,
    Two,
    add,
    compactions,
    grow_after,
    grown,
    outputs,
)
from tests.activities.model.model_calls import USER_ASKED, Canned, finished, half
from tests.activities.model.providers.stand_in import serving


async def test_a_summary_stands_in_place_of_what_is_left_out(journal: Journal) -> None:
    run = await grown(journal, SUM_UP)
    summary, answer = finished(TextPart("they looked thrice")), finished(TextPart("done"))
    result = await run.call(Two(answer, summary), step=5)
    [asked], [prompt] = summary.prompts, answer.prompts
    assert (asked.model, asked.tools, asked.purpose) == ("rehearsal", (), "summary")
    [material] = asked.messages
    assert isinstance(material, UserMessage)
    assert material.text.startswith("The assistant: step 1\n[calls look({})]\n\n[look returned] 11")
    assert "step 4" not in material.text
    assert prompt.messages[1] == OmittedMessages(summary="they looked thrice", count=6, answers=3)
    assert outputs(prompt) == ["4"]
    assert result.usage == USED + USED, "the limits of the run count the summary, too"
    [body] = await compactions(run)
    assert (body.kind, body.summary, body.usage) == ("summarise", "they looked thrice", USED)
    shown = [event.data for event in await run.events() if event.type == "message.delta"]
    assert not any("thrice" in data for data in shown)


async def test_a_later_attempt_finds_the_summary_and_does_not_pay_again(journal: Journal) -> None:
    run = await grown(journal, SUM_UP)
    summary = finished(TextPart("they looked thrice"))
    first, second = Canned(TextPart("so f"), error=BUSY), finished(TextPart("done"))
    with pytest.raises(ApplicationError):
        await run.call(Two(first, summary), step=5)
    result = await run.call(Two(second, summary), step=5, attempt=2)
    assert len(summary.prompts) == len(await compactions(run)) == 1
    assert second.prompts[0].messages == first.prompts[0].messages
    assert result.usage == USED + USED


async def test_what_is_decided_for_a_step_holds_whatever_is_said_meanwhile(
    journal: Journal,
) -> None:
    run = await grown(journal, SUM_UP)
    summary = finished(TextPart("they looked thrice"))
    first, second = Canned(error=BUSY), finished(TextPart("done"))
    with pytest.raises(ApplicationError):
        await run.call(Two(first, summary), step=5)
    await add(run, "command/1/message", UserMessageEvent(text="x" * 1000))
    for step in (6, 7, 8):  # as if the run had gone on, so that there is more to leave out
        await grow_after(run, step)
    await run.call(Two(second, summary), step=5, attempt=2)
    assert len(summary.prompts) == len(await compactions(run)) == 1
    told, before = second.prompts[0].messages, first.prompts[0].messages
    assert told[: len(before)] == before


async def test_the_usage_of_a_summary_is_counted_once_by_the_next_whole_answer(
    journal: Journal,
) -> None:
    run = await grown(journal, SUM_UP)
    env, task = run.start(Two(half(), finished(TextPart("brief"))), step=5)
    await run.until("message.delta")
    env.cancel(USER_ASKED)
    with pytest.raises(asyncio.CancelledError):
        await task
    results = [await run.call(finished(TextPart("done")), step=step) for step in (6, 7)]
    assert [it.usage for it in results] == [USED + USED, USED]


@pytest.mark.parametrize(
    ("summary", "reason"),
    [
        (Canned(TextPart("half a"), error=REFUSED), "context length exceeded"),
        (Canned(FinishPart("stop", USED)), "rehearsal gave an empty answer (stop)"),
    ],
)
async def test_a_model_that_gives_no_summary_does_not_keep_the_run_from_going_on(
    journal: Journal, summary: Canned, reason: str
) -> None:
    run = await grown(journal, SUM_UP)
    await run.call(Two(finished(TextPart("one")), finished(TextPart("brief"))), step=5)
    for step in range(6, 10):
        await grow_after(run, step)
    answer = finished(TextPart("two"))
    await run.call(Two(answer, summary), step=10)
    _, body = await compactions(run)
    assert (body.kind, body.reason) == ("keep_last", reason)
    assert body.summary == "brief", "the earlier summary still stands"
    assert body.usage == (Usage() if summary.prompts and "context" in reason else USED)
    told = answer.prompts[0].messages[1]
    assert isinstance(told, OmittedMessages)
    assert told.summary == "brief"


async def test_a_failing_provider_is_tried_again_and_the_third_time_done_without(
    journal: Journal,
) -> None:
    run = await grown(journal, SUM_UP)
    answer = finished(TextPart("done"))
    for attempt in (1, 2):
        with pytest.raises(ApplicationError) as caught:
            await run.call(Two(answer, Canned(error=BUSY)), step=5, attempt=attempt)
        assert (caught.value.type, caught.value.non_retryable) == (
            ErrorType.MODEL_UNAVAILABLE,
            False,
        )
    await run.call(Two(answer, Canned(error=BUSY)), step=5, attempt=3)
    assert (await run.types()).count("attempt.failed") == 2
    [body] = await compactions(run)
    assert (body.kind, body.reason) == ("keep_last", "too many requests")


async def test_a_redirect_reaches_a_model_that_sums_up(journal: Journal) -> None:
    run = await grown(journal, SUM_UP)
    summary = half("they l")
    env, task = run.start(Two(finished(TextPart("done")), summary), step=5)
    async with asyncio.timeout(5):
        while not summary.prompts:
            await asyncio.sleep(0.005)
    env.cancel(USER_ASKED)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert summary.closed.is_set()
    assert (await run.types())[-2:] == ["step.started", "message.interrupted"]


async def test_a_summary_that_is_too_long_is_cut(journal: Journal) -> None:
    run = await grown(journal, SUM_UP)
    answer = finished(TextPart("done"))
    await run.call(Two(answer, finished(TextPart("é" * 1000))), step=5)
    [body] = await compactions(run)
    assert body.summary == "é" * 40
    assert body.after_tokens <= SUM_UP.keep_tokens


async def test_over_http_a_summary_obeys_the_same_bounds_and_the_provider_is_told_less(
    journal: Journal,
) -> None:
    run = await grown(journal, SUM_UP)
    async with serving() as stand_in:
        config = ProviderConfig(stand_in.url, idle_s=0.4)
        async with aclosing(provider_for(config)) as providers:
            run.agent = run.agent.model_copy(update={"model": "compatible:hangs"})
            with pytest.raises(ApplicationError, match="said nothing for") as caught:
                await run.call(providers, step=5)
            assert not caught.value.non_retryable
            run.agent = run.agent.model_copy(update={"model": "compatible:text"})
            result = await run.call(providers, step=5, attempt=2)
    _, asked, told = stand_in.requests
    assert [it["role"] for it in asked["messages"]] == ["system", "user"]
    assert "tools" not in asked
    texts = [str(it["content"]) for it in told["messages"]]
    assert [it["role"] for it in told["messages"]][-2:] == ["assistant", "tool"]
    assert any("A summary of them:]\nHello, you" in text for text in texts)
    assert not any("2" * 240 in text for text in texts)
    assert (result.usage.input_tokens, result.usage.output_tokens) == (2 * 11, 2 * 7)
