"""A context that has grown too long: compacted once, and journaled."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from relayline.activities.model.port import TextPart
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import RunRewound
from relayline.contracts.messages import OmittedMessages, UserMessage
from relayline.journal.port import Journal, JournalUnavailable
from tests.activities.model.growing import LAST, USED, add, compactions, grow_after, grown, outputs
from tests.activities.model.model_calls import GatedJournal, finished


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
        await run.call(provider, step=20 + 10 * number)
        assert "".join(outputs(provider.prompts[0])) == told


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
