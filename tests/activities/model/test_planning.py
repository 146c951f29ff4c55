"""What a person has to do for a call before it may begin is decided where its arguments are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from relayline.activities.model.answer import planned
from relayline.activities.model.port import CallPart, TextPart
from relayline.activities.tool.toolbox import ToolboxConfig, build_toolbox
from relayline.catalog.schemas.schema import needs_approval
from relayline.catalog.tools import tool
from relayline.contracts.calls import PlannedCall, Question
from relayline.contracts.messages import ToolCall
from relayline.contracts.runs import ApprovalRule, ToolSpec
from relayline.journal.port import Journal
from tests.activities.model.model_calls import Run, finished

BIG = ApprovalRule(
    when={"properties": {"amount": {"minimum": 100}}, "required": ["amount"]},
)


def pay(approval: Any = "always", **schema: JsonValue) -> ToolSpec:
    parameters: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"amount": {"type": "integer"}},
        **schema,
    }
    return ToolSpec(name="pay", approval=approval, parameters=parameters)


def plan(spec: ToolSpec | None, /, **arguments: JsonValue) -> PlannedCall:
    return planned(ToolCall(call_id="call_1_0", name="pay", arguments=arguments), spec)


@pytest.mark.parametrize(
    ("spec", "amount", "asked"),
    [
        (pay("always"), 1, True),
        (pay("never"), 1, False),
        (pay(BIG), 99, False),
        (pay(BIG), 100, True),
        (pay("always"), "much", False),
        (pay(BIG), "much", False),
        (None, 1, False),
    ],
)
def test_who_has_to_approve_a_call_is_said_by_its_tool_and_its_arguments(
    spec: ToolSpec | None, amount: JsonValue, asked: bool
) -> None:
    assert plan(spec, amount=amount) == PlannedCall(
        call_id="call_1_0", name="pay", preview=f"amount={amount}", approval=asked
    )


@pytest.mark.parametrize("what", [{"$ref": "#/nothing"}, {"$ref": "#"}, {"$ref": "http://x/y"}])
def test_a_rule_that_can_not_be_told_to_fit_asks(what: dict[str, JsonValue]) -> None:
    assert needs_approval(pay(ApprovalRule(when=what)), {})


def test_arguments_that_no_tool_could_take_need_nobody() -> None:
    anything = ToolSpec(name="pay", approval="always")
    assert plan(anything, malformed_json="{").approval is False
    assert plan(anything, malformed_json="{", amount=1).approval is True


@pytest.fixture
def ask_user(tmp_path: Path) -> ToolSpec:
    tools = {it.spec.name: it.spec for it in build_toolbox(ToolboxConfig(files_root=tmp_path))}
    return tools["ask_user"]


def test_a_question_goes_to_a_person_and_its_text_stays_in_the_journal(ask_user: ToolSpec) -> None:
    call = plan(ask_user, question="Which " * 50, choices=["red", "blue"], within_s=60)
    assert call.question == Question(choices=("red", "blue"), within_s=60)
    assert call.preview == ("Which " * 50)[:119] + "…"
    assert call.approval is False
    assert plan(ask_user, question="?", choices=None).question == Question()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"question": ""},
        {"question": "?", "choices": "red"},
        {"question": "?", "within_s": 0},
        {"question": "?", "within_s": 1e300},
        {"question": "?", "other": 1},
    ],
)
def test_a_question_that_does_not_fit_is_none(
    ask_user: ToolSpec, arguments: dict[str, JsonValue]
) -> None:
    assert plan(ask_user, **arguments).question is None


@pytest.mark.parametrize(
    "arguments", [{"within_s": -1}, {"within_s": 1e300}, {"choices": 5}, {"choices": [[1]]}]
)
def test_a_tool_of_ones_own_can_ask_nothing_that_the_run_can_not_take(
    arguments: dict[str, JsonValue],
) -> None:
    @tool(asks=True)
    def ask(question: str, choices: Any = None, within_s: float | None = None) -> None: ...

    assert plan(ask.spec, question="?", **arguments).question is None


async def test_the_plan_is_the_same_when_the_answer_comes_from_the_journal(
    journal: Journal,
) -> None:
    run = Run(journal)
    run.agent = run.agent.model_copy(update={"tools": (pay(BIG),)})
    first = await run.call(
        finished(TextPart("so"), CallPart("pay", {"amount": 1}), CallPart("pay", {"amount": 200}))
    )
    assert [call.approval for call in first.calls] == [False, True]
    assert await run.call(finished(TextPart("again")), attempt=2) == first
