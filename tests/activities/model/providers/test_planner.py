"""The demo planner answers any text in at most three steps."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.activities.model.providers.planner import plan
from relayline.activities.model.providers.scripted import RehearsalModel
from relayline.catalog.rehearsal import Item, ManyCalls, Say
from relayline.contracts.messages import (
    AssistantMessage,
    Message,
    OmittedMessages,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from relayline.contracts.runs import ToolSpec
from tests.activities.model.providers.asking import TOOLS, answered, ask, calls_of, prompt, text_of

MODEL = RehearsalModel()


def asked_for(items: tuple[Item, ...]) -> list[tuple[str, object]]:
    calls = [call for item in items if isinstance(item, ManyCalls) for call in item.calls]
    return [(call.name, next(iter(call.arguments.values()))) for call in calls]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("What is 6*7?", [("calculate", "6*7")]),
        ("Add up (12+3) * 4 - 1.5, please", [("calculate", "(12+3) * 4 - 1.5")]),
        ("6 times 7, then 10 divided by 4", [("calculate", "6 * 7"), ("calculate", "10 / 4")]),
        ("Read README.md.", [("read_file", "README.md")]),
        (
            "Compare docs/a.md with src/b.py and tell me 2+2",
            [("calculate", "2+2"), ("read_file", "docs/a.md"), ("read_file", "src/b.py")],
        ),
        (
            "How does the journal keep order?",
            [("search_files", "journal"), ("search_files", "order")],
        ),
        ("What happened on 2024-01-02?", [("search_files", "happened")]),
        ("Hi", []),
    ],
)
def test_tools_are_picked_by_what_the_text_names(text: str, calls: list[tuple[str, str]]) -> None:
    assert asked_for(plan(text, (), TOOLS)) == calls


async def test_answer_says_what_the_tools_returned_and_that_it_is_a_rehearsal() -> None:
    text = "Read README.md, and what is 6*7?"
    first = await ask(MODEL, prompt(text))
    since = answered(first, ["42", "# Relayline\nRuns agents durably."])
    last = await ask(MODEL, prompt(text, *since))
    assert not calls_of(last)
    assert "This is a rehearsal" in text_of(last)
    assert "6*7 is 42." in text_of(last)
    assert "README.md has 2 lines and 5 words; it begins “# Relayline Runs" in text_of(last)
    assert text_of(last) == text_of(await ask(MODEL, prompt(text, *since)))


async def test_first_file_that_a_search_found_is_read_next() -> None:
    text = "What keeps the journal?"
    first = await ask(MODEL, prompt(text))
    outputs = ["docs/journal.md:3: the journal"] * len(calls_of(first))
    since = answered(first, outputs)
    second = await ask(MODEL, prompt(text, *since))
    assert [call.arguments for call in calls_of(second)] == [{"path": "docs/journal.md"}]
    since += answered(second, ["It is a file."], step=2)
    third = await ask(MODEL, prompt(text, *since))
    assert not calls_of(third)
    assert "docs/journal.md" in text_of(third)


async def test_failed_tool_is_reported() -> None:
    call = ToolCall(call_id="call_1_0", name="read_file", arguments={"path": "a.md"})
    failed = ToolMessage(call_id="call_1_0", name="read_file", output="no such file", is_error=True)
    said = AssistantMessage(text="", tool_calls=(call,))
    assert "no such file" in text_of(await ask(MODEL, prompt("Read a.md", said, failed)))


def test_arguments_are_those_that_the_tool_requires() -> None:
    odd = ToolSpec(
        name="read_file",
        parameters={
            "type": "object",
            "properties": {"limit": {}, "file": {}},
            "required": ["file"],
        },
    )
    [_, calls] = plan("Read a.md", (), (odd,))
    assert isinstance(calls, ManyCalls)
    assert calls.calls[0].arguments == {"file": "a.md"}


@given(
    text=st.text() | st.from_regex(r"[\w ()+*/.-]{0,200}"), tools=st.lists(st.sampled_from(TOOLS))
)
def test_any_text_is_answered_within_three_steps(text: str, tools: list[ToolSpec]) -> None:
    since: list[Message] = []
    for step in range(3):
        items = plan(text, since, tuple(tools))
        assert any(isinstance(item, Say) and item.say for item in items)
        calls = [call for item in items if isinstance(item, ManyCalls) for call in item.calls]
        if not calls:
            return
        planned = tuple(
            ToolCall(call_id=f"call_{step}_{index}", name=call.name, arguments=call.arguments)
            for index, call in enumerate(calls)
        )
        since.append(AssistantMessage(text="", tool_calls=planned))
        since += [
            ToolMessage(call_id=it.call_id, name=it.name, output="x.md:1: y") for it in planned
        ]
    raise AssertionError("the planner goes on and on")


async def test_redirect_is_planned_afresh() -> None:
    said = (UserMessage(text="Read a.md"), AssistantMessage(text="", interrupted=True))
    parts = await ask(MODEL, prompt(*said, "What is 2+3?"))
    assert [call.name for call in calls_of(parts)] == ["calculate"]


@pytest.mark.parametrize(
    "text", ["(" * 200_000, "1" + " " * 200_000, "1+" * 100_000, "a/" * 100_000]
)
def test_hostile_text_is_planned_quickly(text: str) -> None:
    begin = time.process_time()
    plan(text, (), TOOLS)
    assert time.process_time() - begin < 1


def test_an_answer_that_was_left_out_is_not_given_again() -> None:
    left_out = OmittedMessages(count=2, answers=1)
    assert asked_for(plan("Read a.md", (left_out,), TOOLS)) == []
