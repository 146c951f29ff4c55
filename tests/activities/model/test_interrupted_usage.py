"""The tokens of an answer that a command interrupted: a guess, which the next answer counts in."""

from __future__ import annotations

import asyncio

import pytest

from relayline.activities.model.port import TextPart
from relayline.contracts.events import MessageCompleted, MessageInterrupted
from relayline.contracts.messages import Usage
from relayline.journal.port import Journal
from tests.activities.model.model_calls import USER_ASKED, Run, finished, half


async def interrupted(run: Run) -> Usage:
    env, call = run.start(half("half an answer"))
    await run.until("message.delta")
    env.cancel(USER_ASKED)
    with pytest.raises(asyncio.CancelledError):
        await call
    [body] = await run.bodies("message.interrupted")
    assert isinstance(body, MessageInterrupted)
    return body.usage


async def test_tokens_of_an_interrupted_answer_are_guessed_and_counted_with_the_next(
    journal: Journal,
) -> None:
    run = Run(journal, model="compatible:m")
    guess = await interrupted(run)
    assert guess.estimated
    assert guess.input_tokens > 0
    assert guess.output_tokens == 4
    again = await run.call(half(), attempt=2)
    assert (again.interrupted, again.usage) == (True, Usage()), "nothing is counted twice"
    result = await run.call(finished(TextPart("whole")), step=2)
    assert result.usage == guess + Usage(input_tokens=3, output_tokens=2)
    [body] = await run.bodies("message.completed")
    assert isinstance(body, MessageCompleted)
    assert body.usage == result.usage
    assert (await run.call(finished(TextPart("more")), step=3)).usage.total_tokens == 5


async def test_interrupted_rehearsal_costs_nothing(journal: Journal) -> None:
    assert await interrupted(Run(journal)) == Usage()
