"""One model call: paid once, streamed as it comes, kept whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from relayline.activities.model.port import CallPart, FinishPart, ReasoningPart, TextPart
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.contracts.calls import MAX_CALLS_PER_STEP, ModelRequest, ModelResult, PlannedCall
from relayline.contracts.envelope import NewEvent, Outbox, StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    AttemptSuperseded,
    MessageCompleted,
    RunQueued,
    UserMessageEvent,
)
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.messages import AssistantMessage, ToolMessage, Usage, UserMessage
from relayline.journal.port import Journal
from relayline.journal.table import Tenant
from relayline.projections.words import call_preview
from tests.activities.model.model_calls import Canned, GatedJournal, Run, finished, script

USED = Usage(input_tokens=3, output_tokens=2)
REHEARSAL = provider_for(ProviderConfig())


async def completed(run: Run) -> MessageCompleted:
    [body] = await run.bodies("message.completed")
    assert isinstance(body, MessageCompleted)
    return body


async def test_answer_is_streamed_and_kept_whole(journal: Journal) -> None:
    run = Run(journal)
    provider = finished(ReasoningPart("hm"), TextPart("Hello, "), TextPart("you"))
    result = await run.call(provider)
    assert result == ModelResult(finish_reason="stop", usage=USED, preview="Hello, you")
    types = await run.types()
    assert types[:2] == ["message.user", "step.started"]
    assert set(types[2:-1]) == {"reasoning.delta", "message.delta"}
    assert (await completed(run)).text == "Hello, you"
    deltas = [event for event in await run.events() if event.type.endswith(".delta")]
    assert {(event.step, event.attempt, event.key) for event in deltas} == {(1, 1, None)}
    [prompt] = provider.prompts
    assert prompt.messages == (UserMessage(text="hi"),)
    assert (prompt.instructions, prompt.attempt) == ("Be brief.", 1)


class Counted(GatedJournal):
    """Counts the reads."""

    reads = 0

    async def read(self, *args: Any, **more: Any) -> list[StoredEvent]:
        self.reads += 1
        return await super().read(*args, **more)

    async def get(self, tenant: Tenant, run_id: str, key: str) -> StoredEvent | None:
        self.reads += 1
        return await super().get(tenant, run_id, key)


class Queued(Run):
    """A run whose first call carries `run.queued`."""

    queued = NewEvent(
        key=QUEUED_KEY, body=RunQueued(agent="a", model="m", submitted_at=datetime.now(UTC))
    )

    def request(self, step: int = 1) -> ModelRequest:
        asked = super().request(step)
        outbox = Outbox(facts=(self.queued, *asked.outbox.facts))
        return asked.model_copy(update={"outbox": outbox})


@pytest.mark.parametrize("known", [False, True], ids=["alone", "after the API"])
async def test_the_first_call_of_a_run_reads_nothing_that_it_has_just_written(
    journal: Journal, *, known: bool
) -> None:
    counted = Counted(journal)
    run = Queued(counted)
    if known:
        await journal.append(run.id, [run.queued])
    provider = finished(TextPart("Hello"))
    await run.call(provider)
    assert counted.reads == 0
    assert provider.prompts[0].messages == (UserMessage(text="hi"),)


async def test_a_call_reads_what_others_have_written(journal: Journal) -> None:
    counted = Counted(journal)
    run = Run(counted)
    said = UserMessageEvent(text="said before")
    await journal.append(run.id, [NewEvent(key="0/message/earlier", body=said)])
    provider = finished(TextPart("Hello"))
    await run.call(provider)
    assert counted.reads == 1
    assert provider.prompts[0].messages == (
        UserMessage(text="said before"),
        UserMessage(text="hi"),
    )


async def test_tool_calls_get_ids_and_a_preview(journal: Journal) -> None:
    run = Run(journal)
    calls = (CallPart("read_file", {"path": "README.md"}), CallPart("rm -rf / " * 20, {}))
    result = await run.call(finished(*calls), step=3)
    assert result.finish_reason == "tool_calls"
    assert result.calls[0] == PlannedCall(
        call_id="call_3_0", name="read_file", preview="path=README.md"
    )
    assert len(result.calls[1].name) == 64
    kept = (await completed(run)).tool_calls
    assert [call.call_id for call in kept] == ["call_3_0", "call_3_1"]
    assert kept[0].arguments == {"path": "README.md"}
    assert kept[1].name.startswith("rm_-rf___rm_-rf")


async def test_calls_past_the_limit_are_left_out(journal: Journal) -> None:
    run = Run(journal)
    calls = [CallPart("look", {"n": n}) for n in range(MAX_CALLS_PER_STEP + 5)]
    result = await run.call(finished(*calls))
    assert len(result.calls) == MAX_CALLS_PER_STEP
    assert [call.arguments for call in (await completed(run)).tool_calls] == [
        {"n": n} for n in range(MAX_CALLS_PER_STEP)
    ]


async def test_what_the_workflow_gets_is_small_whatever_the_model_says(journal: Journal) -> None:
    run = Run(journal)
    calls = [CallPart("n" * 5000, {"a": "é" * 50_000, "b": ["x"] * 9999})] * 40
    result = await run.call(finished(TextPart("t" * 1_000_000), *calls))
    assert len(result.model_dump_json().encode()) < 32 * 1024


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({}, ""),
        (
            {"path": "a b.md", "limit": 5, "deep": {"x": [1, None]}},
            'path=a b.md, limit=5, deep={"x": [1, null]}',
        ),
        ({"text": "two\nlines\tand"}, "text=two lines and"),
        ({"text": "x" * 500}, "text=" + "x" * 114 + "…"),
    ],
)
def test_preview_is_one_short_line(arguments: dict[str, object], shown: str) -> None:
    assert call_preview(arguments) == shown  # type: ignore[arg-type]


async def test_finished_answer_is_never_paid_for_twice(journal: Journal) -> None:
    run = Run(journal)
    first = await run.call(finished(TextPart("paid"), CallPart("look", {"a": 1})))
    before = await run.types()
    again = finished(TextPart("paid again"))
    for attempt in (1, 2, 3):
        assert await run.call(again, attempt=attempt) == first
    assert not again.prompts
    assert await run.types() == before


async def test_later_attempt_voids_what_the_earlier_ones_streamed_once(journal: Journal) -> None:
    run = Run(journal)
    for attempt, text in ((1, "first half"), (2, "second half")):
        broken = Canned(TextPart(text), error=ConnectionResetError())
        with pytest.raises(ApplicationError):
            await run.call(broken, attempt=attempt)
    await run.call(finished(TextPart("whole")), attempt=3)
    void = await run.bodies("attempt.superseded")
    assert [body.attempt for body in void if isinstance(body, AttemptSuperseded)] == [1, 2]
    events = {event.seq: event for event in await run.events()}
    for body in void:
        assert isinstance(body, AttemptSuperseded)
        span = [events[seq] for seq in range(body.from_seq, body.to_seq + 1)]
        assert {(it.type, it.attempt) for it in span} == {("message.delta", body.attempt)}
    keys = [event.key for event in events.values() if event.type == "attempt.superseded"]
    assert keys == ["0/step/1/superseded/1", "0/step/1/superseded/2"]
    types = [event.type for event in events.values()]
    assert types[-2:] == ["message.delta", "message.completed"]


async def test_attempt_that_left_nothing_is_not_superseded(journal: Journal) -> None:
    run = Run(journal)
    with pytest.raises(ApplicationError):
        await run.call(Canned(error=ConnectionResetError()))
    await run.call(finished(TextPart("whole")), attempt=2)
    assert not await run.bodies("attempt.superseded")


async def test_next_step_is_told_what_the_journal_has(journal: Journal) -> None:
    text = script({"say": "one "}, {"call": "look", "arguments": {"a": 1}}, {"say": "two"})
    run = Run(journal, text)
    first = await run.call(REHEARSAL)
    assert (first.preview, [call.name for call in first.calls]) == ("one ", ["look"])
    probe = finished(TextPart("probe"))
    await run.call(probe, step=2)
    assert probe.prompts[0].messages[1:] == (
        AssistantMessage(text="one ", tool_calls=(await asked(run))),
        ToolMessage(call_id="call_1_0", name="look", output="The call did not run.", is_error=True),
    )


async def asked(run: Run) -> tuple[object, ...]:
    [event] = [event for event in await run.events() if event.key == "0/step/1/message"]
    body = event.body()
    assert isinstance(body, MessageCompleted)
    return body.tool_calls


async def test_answer_without_an_end_is_no_answer(journal: Journal) -> None:
    run = Run(journal)
    with pytest.raises(ApplicationError, match="mid-answer") as caught:
        await run.call(Canned(TextPart("cut")))
    assert not caught.value.non_retryable
    assert "message.completed" not in await run.types()


async def test_an_empty_answer_is_none_and_the_third_ends_the_call(journal: Journal) -> None:
    run = Run(journal)
    finals = []
    for attempt in (1, 2, 3):
        with pytest.raises(ApplicationError) as caught:
            await run.call(Canned(TextPart(" \n"), FinishPart("length", USED)), attempt=attempt)
        assert caught.value.type == ErrorType.EMPTY_ANSWER
        finals.append(caught.value.non_retryable)
    assert finals == [False, False, True]
    assert "message.completed" not in await run.types()
