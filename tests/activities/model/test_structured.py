"""Answers that must be JSON: those that fit, those that do not, and what the model reads then."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import JsonValue

from relayline.activities.model.port import CallPart, FinishPart, TextPart
from relayline.contracts.calls import (
    MAX_REJECTIONS,
    ModelRequest,
    ModelResult,
    agent_given,
    is_large,
    known_output,
)
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageCompleted, OutputRejected, RunCompleted, TurnCompleted
from relayline.contracts.messages import AssistantMessage, Usage
from relayline.contracts.runs import AgentSpec
from relayline.journal.port import Journal
from relayline.journal.table import EVERY
from tests.activities.model.model_calls import Canned, Run, finished
from tests.activities.test_completion import written

CITY: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
WRONG = '{"town": "Bern"}'
RIGHT = '{"city": "Bern", "people": 134794}'


class Structured(Run):
    """A run whose answers must be cities."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.agent = self.agent.model_copy(update={"output_schema": CITY})

    async def answers(self) -> list[MessageCompleted]:
        bodies = await self.bodies("message.completed")
        return [body for body in bodies if isinstance(body, MessageCompleted)]

    async def rejections(self) -> list[OutputRejected]:
        bodies = await self.bodies("output.rejected")
        return [body for body in bodies if isinstance(body, OutputRejected)]

    def request(self, step: int = 1) -> ModelRequest:
        asked = super().request(step)
        facts = asked.outbox.facts[1:] if step > 1 else asked.outbox.facts
        outbox = asked.outbox.model_copy(update={"facts": facts})
        return asked.model_copy(update={"outbox": outbox})


async def test_answer_that_fits_is_marked_as_json(journal: Journal) -> None:
    run = Structured(journal)
    provider = finished(TextPart('{"city": "Be'), TextPart('rn"}'))
    result = await run.call(provider)
    assert (result.rejected, result.rejections) == ("", 0)
    assert provider.prompts[0].output_schema == CITY
    [answer] = await run.answers()
    assert (answer.text, answer.output_type) == ('{"city": "Bern"}', "json")
    assert await run.rejections() == []
    deltas = [event.body() for event in await run.events() if event.type == "message.delta"]
    assert "".join(getattr(body, "text", "") for body in deltas) == answer.text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (WRONG, "'city' is a required property"),
        ("Bern", "it is no JSON"),
        (f"{RIGHT} and more", "it is no JSON"),
        ('"Bern"', "is not of type 'object'"),
        ('{"city": "Bern", "people": 1e999}', "a number is too large"),
        ("[" * 400, "it is no JSON"),
    ],
)
async def test_answer_that_does_not_fit_is_rejected(
    journal: Journal, text: str, problem: str
) -> None:
    run = Structured(journal)
    result = await run.call(finished(TextPart(text)))
    assert problem in result.rejected
    assert result.rejections == 1
    [answer], [rejection] = await run.answers(), await run.rejections()
    assert (answer.text, answer.output_type) == (text, "text")
    assert (rejection.problem, rejection.allowed) == (result.rejected, MAX_REJECTIONS)
    types = await run.types()
    assert types[-2:] == ["message.completed", "output.rejected"]


async def test_answer_that_was_cut_off_says_so(journal: Journal) -> None:
    provider = Canned(TextPart('{"city": '), FinishPart("length", Usage()))
    result = await Structured(journal).call(provider)
    assert result.rejected.endswith("(the answer was cut off: length)")


async def test_model_reads_why_and_rejections_are_counted_up(journal: Journal) -> None:
    run = Structured(journal)
    first = await run.call(finished(TextPart(WRONG)))
    provider = finished(TextPart("Bern"))
    second = await run.call(provider, step=2)
    told = provider.prompts[0].messages[-1]
    assert isinstance(told, AssistantMessage)
    assert (told.text, told.rejected) == (WRONG, first.rejected)
    assert second.rejections == 2
    third = await run.call(finished(TextPart(RIGHT)), step=3)
    assert third.rejected == ""


async def test_a_new_message_starts_the_count_anew(journal: Journal) -> None:
    run = Structured(journal)
    await run.call(finished(TextPart(WRONG)))
    facts = run.request().outbox.facts[0].model_copy(update={"key": "0/message/1"})
    await journal.append(run.id, [facts])
    assert (await run.call(finished(TextPart(WRONG)), step=2)).rejections == 1


async def test_rejection_that_is_recorded_is_told_again(journal: Journal) -> None:
    run = Structured(journal)
    first = await run.call(finished(TextPart(WRONG)))
    silent = Canned(silent=True)
    assert await run.call(silent, attempt=2) == first
    assert silent.prompts == []


async def test_answer_that_calls_tools_is_not_the_last(journal: Journal) -> None:
    run = Structured(journal)
    result = await run.call(finished(TextPart("I look."), CallPart("look", {})))
    assert (result.rejected, len(result.calls)) == ("", 1)
    assert await run.rejections() == []


@pytest.mark.parametrize("body", [RunCompleted(), TurnCompleted(turn=1, status="completed")])
async def test_output_is_the_value_in_the_last_message(
    journal: Journal, body: RunCompleted | TurnCompleted
) -> None:
    run = Structured(journal)
    await run.call(finished(TextPart(RIGHT)))
    given = body.model_copy(update={"output": ""})
    stored = await written(run, NewEvent(key="0/run/ended", body=given, step=1))
    assert isinstance(stored, RunCompleted | TurnCompleted)
    assert (stored.output, stored.output_type) == ({"city": "Bern", "people": 134794}, "json")
    [raw] = [it.data for it in await journal.read(EVERY, run.id) if it.type == body.type]
    assert '"output_type":"json"' in raw


async def test_rejected_answer_is_a_text_as_output(journal: Journal) -> None:
    run = Structured(journal)
    await run.call(finished(TextPart(WRONG)))
    stored = await written(run, NewEvent(key="0/run/ended", body=RunCompleted(), step=1))
    assert stored == RunCompleted(output=WRONG)


def test_text_runs_say_nothing_of_a_type() -> None:
    said: dict[str, Any] = RunCompleted(output="hi").model_dump()
    assert "output_type" not in said
    answer = MessageCompleted(text="hi", finish_reason="stop").model_dump()
    assert "output_type" not in answer
    assert (
        ModelResult(finish_reason="stop").model_dump().keys().isdisjoint({"rejected", "rejections"})
    )
    assert "output_schema" not in agent_given(AgentSpec(name="a", model="m"))


def test_large_schema_is_pinned_once_and_a_small_one_goes_along() -> None:
    small = AgentSpec(name="a", model="m", output_schema=CITY)
    large = {**CITY, "properties": {f"field_{n}": {"type": "string"} for n in range(400)}}
    assert not is_large(small)
    assert is_large(small.model_copy(update={"output_schema": large}))


def test_run_leaves_json_to_the_journal() -> None:
    text = AgentSpec(name="a", model="m")
    assert known_output(text, "short") == "short"
    assert known_output(text.model_copy(update={"output_schema": CITY}), RIGHT) == ""
