"""A model call whose deltas the journal has lost, as after a crash of Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from relayline.activities.model.port import FinishPart, ModelPart, Prompt, TextPart
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AttemptSuperseded, MessageCompleted
from relayline.contracts.messages import Usage
from relayline.journal.port import Journal
from relayline.projections.rendered import render
from tests.activities.model.model_calls import Run, finished
from tests.journal.storage import lose


class Halting:
    """A provider that says a word each time that it may go on, and then ends."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self.go_on = asyncio.Semaphore(0)

    async def stream(self, _prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        for word in self._words:
            await self.go_on.acquire()
            yield TextPart(word)
        await self.go_on.acquire()
        yield FinishPart("stop", Usage())


async def said(run: Run, provider: Halting, words: int) -> None:
    """Have the provider say so many words, each of which is journaled before the next."""
    async with asyncio.timeout(10):
        for count in range(1, words + 1):
            provider.go_on.release()
            while len(await run.bodies("message.delta")) < count:
                await asyncio.sleep(0.005)


async def test_the_answer_is_streamed_again_and_what_is_left_of_it_is_void(
    journal: Journal, tmp_path: Path
) -> None:
    run, provider = Run(journal), Halting("one ", "two ", "three ", "four")
    _, task = run.start(provider)
    await said(run, provider, 3)
    lose(tmp_path / "journal.db", run.id, 3)
    provider.go_on.release()
    with pytest.raises(ApplicationError, match="it has reused number 4") as caught:
        await task
    assert (caught.value.type, caught.value.non_retryable) == (ErrorType.JOURNAL_UNAVAILABLE, False)
    await run.call(finished(TextPart("one two three four")), attempt=2)
    [void] = await run.bodies("attempt.superseded")
    assert isinstance(void, AttemptSuperseded)
    assert (void.attempt, void.from_seq, void.to_seq) == (1, 3, 4)
    assert render(await run.events()).text(1) == "one two three four"


async def test_an_answer_that_is_whole_by_then_stands(journal: Journal, tmp_path: Path) -> None:
    run, provider = Run(journal), Halting("one ", "two")
    _, task = run.start(provider)
    await said(run, provider, 2)
    lose(tmp_path / "journal.db", run.id, 2)
    provider.go_on.release()
    await task
    [message] = await run.bodies("message.completed")
    assert isinstance(message, MessageCompleted)
    assert message.text == render(await run.events()).text(1) == "one two"
