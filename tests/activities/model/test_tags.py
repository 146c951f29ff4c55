"""Reasoning between tags in a model's text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.activities.model.port import FinishPart, ModelPart, TextPart
from relayline.activities.model.tags import ThinkTags
from relayline.catalog.agents import Agent
from relayline.contracts.events import MessageCompleted, ReasoningDelta
from relayline.contracts.messages import Usage
from relayline.journal.port import Journal
from tests.activities.model.model_calls import Run, finished
from tests.activities.model.providers.asking import text_of, thoughts_of

END = FinishPart("stop", Usage())


def split(*texts: str) -> tuple[str, str]:
    tags = ThinkTags()
    given: list[ModelPart] = [*map(TextPart, texts), END]
    parts = [part for it in given for part in tags.split(it)]
    assert parts[-1] == END
    return thoughts_of(parts), text_of(parts)


@pytest.mark.parametrize(
    ("text", "thought", "said"),
    [
        ("<think>hm</think>42", "hm", "42"),
        ("\n<think>\nhm\n</think>\n\n42 ", "hm\n", "42 "),
        ("<think></think>42", "", "42"),
        ("<think>hm", "hm", ""),
        ("<think>a </thin b</think>c", "a </thin b", "c"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("use <think>", "", "use <think>"),
        ("<thin", "", "<thin"),
        ("<thought>", "", "<thought>"),
        (" 42", "", " 42"),
        ("", "", ""),
    ],
)
@given(data=st.data())
def test_tags_at_the_beginning_part_reasoning_from_text_however_it_is_cut(
    data: st.DataObject, text: str, thought: str, said: str
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert split(*pieces) == (thought, said)
    assert split(*text) == (thought, said)


@pytest.mark.parametrize("tagged", [True, False])
async def test_agent_says_whether_its_model_writes_tags(journal: Journal, tagged: bool) -> None:
    run = Run(journal)
    run.agent = run.agent.model_copy(update={"think_tags": tagged})
    await run.call(finished(TextPart("<think>hm</th"), TextPart("ink>42")))
    [body] = await run.bodies("message.completed")
    assert isinstance(body, MessageCompleted)
    assert body.text == ("42" if tagged else "<think>hm</think>42")
    thoughts = await run.bodies("reasoning.delta")
    told = "".join(it.text for it in thoughts if isinstance(it, ReasoningDelta))
    assert told == ("hm" if tagged else "")
    assert not Agent(name="a").think_tags
