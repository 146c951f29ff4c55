"""The worker's secrets are in no answer, streamed or whole, and in no error of a provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from relayline.activities.model.clean import cleaned
from relayline.activities.model.port import (
    CallPart,
    FinishPart,
    ModelPart,
    Prompt,
    ProviderError,
    ReasoningPart,
    TextPart,
)
from relayline.contracts.messages import Usage
from relayline.journal.port import Journal
from relayline.journal.table import EVERY
from relayline.runtime.redaction import HIDDEN, Redactor
from tests.activities.model.model_calls import Run

KEY = "sk-0123456789abcdef0123"
REDACTOR = Redactor([KEY])
END = FinishPart("stop", Usage())


class Says:
    """A model that says these parts."""

    def __init__(self, *parts: ModelPart | ProviderError) -> None:
        self._parts = parts

    async def stream(self, prompt: Prompt) -> AsyncGenerator[ModelPart, None]:
        for part in self._parts:
            if isinstance(part, ProviderError):
                raise part
            yield part


async def journaled(journal: Journal, *parts: ModelPart | ProviderError) -> list[str]:
    """The journal's events of that answer, as stored."""
    run = Run(journal)
    provider = cleaned(lambda _: Says(*parts), REDACTOR)
    if parts[-1] is END:
        await run.call(provider)
    else:
        with pytest.raises(ApplicationError) as failed:
            await run.call(provider)
        assert KEY not in failed.value.message
    return [event.data for event in await journal.read(EVERY, run.id)]


@pytest.mark.parametrize("split", [1, 5, len(KEY) - 1])
async def test_a_secret_that_comes_in_pieces_is_cut_out_of_deltas_and_message(
    journal: Journal, split: int
) -> None:
    text = f"key: {KEY}, and s"
    pieces = [TextPart(text[at : at + split]) for at in range(0, len(text), split)]
    thought = [ReasoningPart(f"I saw {KEY[:split]}"), ReasoningPart(KEY[split:])]
    said = "".join(await journaled(journal, *thought, *pieces, END))
    assert KEY not in said
    assert f"key: {HIDDEN}, and s" in said
    assert said.count(HIDDEN) == 3, "the thought, the delta and the message"


async def test_the_arguments_of_a_call_have_no_secret(journal: Journal) -> None:
    call = CallPart("pay", {"deep": [{"key": f"<{KEY}>"}]})
    said = "".join(await journaled(journal, call, END))
    assert KEY not in said
    assert f"<{HIDDEN}>" in said


async def test_the_error_of_a_provider_has_no_secret(journal: Journal) -> None:
    error = ProviderError(f"key {KEY} is wrong", retryable=True, status=503)
    said = "".join(await journaled(journal, TextPart("a"), error))
    assert KEY not in said
    assert f"key {HIDDEN} is wrong" in said


@given(texts=st.lists(st.tuples(st.booleans(), st.text("sk-0123456789abcdef", max_size=6))))
async def test_an_answer_without_a_secret_loses_nothing_and_keeps_its_order(
    texts: list[tuple[bool, str]],
) -> None:
    parts = [ReasoningPart(text) if thought else TextPart(text) for thought, text in texts]
    model = cleaned(lambda _: Says(*parts, END), REDACTOR)("any")
    prompt = Prompt("any", "", (), (), 1)
    passed = [part async for part in model.stream(prompt)]
    assert passed[-1] == END
    assert _joined(passed) == _joined([*parts, END])


def _joined(parts: list[ModelPart]) -> list[tuple[type, str]]:
    """Neighbours of one kind as one text."""
    joined: list[tuple[type, str]] = []
    for part in parts:
        if isinstance(part, TextPart | ReasoningPart) and part.text:
            text = part.text
            if joined and joined[-1][0] is type(part):
                text = joined.pop()[1] + text
            joined.append((type(part), text))
    return joined
