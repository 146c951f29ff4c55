"""A context that has grown too long: compacted once, journaled, paid for once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from temporalio.exceptions import ApplicationError

from activities.port import FinishPart, ModelPart, ModelProvider, Prompt, ProviderError, TextPart
from activities.providers.factory import ProviderConfig, provider_for
from contracts.compaction import Compaction, KeepLast, Summarise
from contracts.envelope import NewEvent
from contracts.errors import ErrorType
from contracts.events import (
    ContextCompacted,
    EventBody,
    MessageCompleted,
    RunRewound,
    StepStarted,
    ToolCompleted,
    UserMessageEvent,
)
from contracts.messages import OmittedMessages, ToolCall, Usage, UserMessage
from journal.port import Journal, JournalUnavailable
from tests.activities.model_calls import USER_ASKED, Canned, GatedJournal, Run, finished, half
from tests.providers.stand_in import serving

LAST = KeepLast(over_tokens=250, keep_tokens=150)
SUM_UP = Summarise(over_tokens=250, keep_tokens=150, summary_tokens=20)
USED = Usage(input_tokens=3, output_tokens=2)
REFUSED = ProviderError("context length exceeded", retryable=False, status=400)
BUSY = ProviderError("too many requests", retryable=True, status=429)


class Two:
    """Answers with one provider, sums up with another."""

    def __init__(self, answer: ModelProvider, summary: ModelProvider) -> None:
        self._answer = answer
        self._summary = summary

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        chosen = self._summary if prompt.purpose == "summary" else self._answer
        async with aclosing(chosen.stream(prompt)) as parts:
            async for part in parts:
                yield part


async def grown(journal: Journal, policy: Compaction | None, steps: int = 4) -> Run:
    """A run that has called a tool in each of some steps; each is about 70 tokens."""
    run = Run(journal)
    run.agent = run.agent.model_copy(update={"compaction": policy})
    await add(run, "0/message/0", UserMessageEvent(text="hi"))
    for step in range(1, steps + 1):
        await grow(run, step)
    return run


async def grow(run: Run, step: int) -> None:
    call = ToolCall(call_id=f"call_{step}_0", name="look")
    asks = MessageCompleted(text=f"step {step}", tool_calls=(call,), finish_reason="tool_calls")
    returns = ToolCompleted(call_id=call.call_id, name="look", output=f"{step}" * 240)
    await add(run, f"0/step/{step}/started", StepStarted(model="m"), step)
    await add(run, f"0/step/{step}/message", asks, step)
    await add(run, f"0/call/{call.call_id}/result", returns, step)


async def add(run: Run, key: str, body: EventBody, step: int | None = None) -> None:
    await run.journal.append(run.id, [NewEvent(key=key, body=body, step=step)])


async def compactions(run: Run) -> list[ContextCompacted]:
    bodies = await run.bodies("context.compacted")
    return [body for body in bodies if isinstance(body, ContextCompacted)]


def outputs(prompt: Prompt) -> list[str]:
    return [it.output[0] for it in prompt.messages if it.role == "tool"]


async def test_without_a_policy_everything_is_told(journal: Journal) -> None:
    run = await grown(journal, None, steps=30)
    provider = finished(TextPart("done"))
    await run.call(provider, step=31)
    assert len(provider.prompts[0].messages) == 1 + 2 * 30
    assert not await compactions(run)


async def test_what_is_left_out_is_journaled_before_the_model_is_asked(journal: Journal) -> None:
    run = await grown(journal, LAST)
    provider = finished(TextPart("done"))
    result = await run.call(provider, step=5)
    assert result.usage == USED
    [prompt] = provider.prompts
    gap = OmittedMessages(count=6, answers=3)
    assert prompt.messages[:2] == (UserMessage(text="hi"), gap)
    assert outputs(prompt) == ["4"]
    [body] = await compactions(run)
    assert (body.kind, body.summary, body.left_out, body.reason) == ("keep_last", "", 6, None)
    assert body.before_tokens > 250
    assert body.after_tokens <= 150
    assert (await run.types())[-4:] == [
        "step.started",
        "context.compacted",
        "message.delta",
        "message.completed",
    ]


async def test_later_steps_build_on_it_until_the_bound_is_met_again(journal: Journal) -> None:
    run = await grown(journal, LAST)
    seen = []
    for step in range(5, 11):
        provider = finished(TextPart("done"))
        await run.call(provider, step=step)
        seen.append("".join(outputs(provider.prompts[0])))
        await grow_after(run, step)
    assert seen == ["4", "45", "456", "7", "78", "789"]
    assert len(await compactions(run)) == 2


async def grow_after(run: Run, step: int) -> None:
    """Another call with its result, so that the next step has more to be told."""
    call = ToolCall(call_id=f"call_{step}_9", name="look")
    asks = MessageCompleted(text="more", tool_calls=(call,), finish_reason="tool_calls")
    returns = ToolCompleted(call_id=call.call_id, name="look", output=f"{step}" * 240)
    await add(run, f"test/{step}/message", asks, step)
    await add(run, f"test/{step}/result", returns, step)


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


async def test_a_rewind_past_it_undoes_it_and_a_rewind_to_after_it_does_not(
    journal: Journal,
) -> None:
    run = await grown(journal, LAST)
    await run.call(finished(TextPart("done")), step=5)
    fact = next(event for event in await run.events() if event.type == "context.compacted")
    for number, (to_seq, told) in enumerate(((fact.seq, "4"), (fact.seq - 2, "1234"))):
        await add(run, f"rewind/{number}", RunRewound(to_seq=to_seq, epoch=number + 1))
        run.agent = run.agent.model_copy(update={"compaction": None})
        provider = finished(TextPart("again"))
        await run.call(provider, step=20 + number)
        assert "".join(outputs(provider.prompts[0])) == told


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


async def test_a_journal_that_is_down_is_no_failure_of_the_provider(journal: Journal) -> None:
    run = await grown(journal, LAST)
    gated = GatedJournal(journal)
    run.journal = gated

    def refuse(events: object) -> None:
        if "context.compacted" in str(events):
            raise JournalUnavailable("disk full")

    gated.before_append = refuse
    answer = finished(TextPart("done"))
    with pytest.raises(ApplicationError) as caught:
        await run.call(answer, step=5)
    assert caught.value.type == ErrorType.JOURNAL_UNAVAILABLE
    assert not answer.prompts
    assert "attempt.failed" not in await run.types()
    gated.before_append = lambda _: None
    await run.call(answer, step=5, attempt=2)
    assert len(await compactions(run)) == 1


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
