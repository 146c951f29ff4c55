"""Structured answers from providers over HTTP, as the journal has them."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.activities.model.providers.output_modes import OUTPUT_TOOL
from relayline.journal.port import Journal
from tests.activities.model.providers.wire.odd import Body, call, end
from tests.activities.model.providers.wire.openais import ended, words
from tests.activities.model.providers.wire.test_structured_wire import (
    CLAUDE,
    COMPATIBLE,
    OPENAI,
    Provider,
    claude,
    claude_text,
    openai,
    provider,
)
from tests.activities.model.test_structured import RIGHT, WRONG, Structured

__all__ = ["provider"]

pytestmark = pytest.mark.slow
SAID: dict[str, tuple[Body, Body]] = {
    COMPATIBLE: (
        [call(0, OUTPUT_TOOL, WRONG, id_="x"), *end("tool_calls")],
        [call(0, OUTPUT_TOOL, RIGHT, id_="x"), *end("tool_calls")],
    ),
    OPENAI: (openai(*words(WRONG), ended()), openai(*words(RIGHT), ended())),
    CLAUDE: (
        [claude(*claude_text(WRONG), reason="end_turn")],
        [claude(*claude_text(RIGHT), reason="end_turn")],
    ),
}


@pytest.mark.parametrize("model", SAID)
async def test_answer_is_corrected_by_the_model_and_journaled_as_json(
    journal: Journal, provider: Provider, model: str
) -> None:
    run = Structured(journal)
    run.agent = run.agent.model_copy(update={"model": model})
    wrong, right = SAID[model]
    async with aclosing(provider_for(ProviderConfig(compatible_base_url=provider.url))) as made:
        provider.says = wrong
        first = await run.call(made)
        provider.says = right
        second = await run.call(made, step=2)
    assert (first.rejections, second.rejected) == (1, "")
    answers = await run.answers()
    assert [it.output_type for it in answers] == ["text", "json"]
    assert json.loads(answers[1].text) == json.loads(RIGHT)
    told = json.dumps(provider.asked[1])
    assert first.rejected in told
    assert json.dumps(WRONG)[1:-1] in told, "the model sees what it had said"
    assert all(it.usage.input_tokens for it in answers)
