"""What an MCP server asks in a call, and what people have answered. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from relayline.catalog.schema import mismatch
from relayline.contracts.events import ToolAsked
from relayline.contracts.mcp import MAX_ROUNDS, McpAnswer, McpQuestion, McpQuestions, McpRound

MAX_QUESTIONS = 16
"""Questions of one round."""
MAX_ROUND_BYTES = 256 * 1024
"""Limit for a round of questions with the server's state, as JSON."""


class TooMuchAsked(Exception):
    """A server asks more than a run can take."""


def asked(call_id: str, name: str, round_: int, questions: McpQuestions) -> ToolAsked:
    """A server's questions as a fact.

    Raises:
        TooMuchAsked: too many rounds, questions or bytes.
    """
    if round_ > MAX_ROUNDS:
        raise TooMuchAsked(f"the server has asked {MAX_ROUNDS} times, which is the most")
    body = ToolAsked(
        call_id=call_id,
        name=name,
        round=round_,
        questions=questions.questions,
        state=questions.state,
    )
    count = len(questions.questions)
    if count > MAX_QUESTIONS:
        raise TooMuchAsked(f"the server asks {count} things at once, {MAX_QUESTIONS} is the most")
    size = len(body.model_dump_json().encode())
    if size > MAX_ROUND_BYTES:
        raise TooMuchAsked(
            f"the server's questions take {size} bytes, {MAX_ROUND_BYTES} is the most"
        )
    return body


def open_questions(body: ToolAsked) -> Sequence[McpQuestion]:
    """Those that people must answer, in order; told with what was wrong with an earlier answer."""
    return [
        question.model_copy(update={"message": f"{problem}. {question.message}"})
        if (problem := body.problems.get(question.key))
        else question
        for question in body.questions
        if question.key not in body.given
    ]


def answered(body: ToolAsked, texts: Sequence[str]) -> McpRound | ToolAsked:
    """The round as the server gets it back, or what must be asked again.

    Args:
        body: What was asked.
        texts: The answers to its open questions, in order.

    Raises:
        TooMuchAsked: the same as in `asked`.
    """
    given, problems = dict(body.given), {}
    for question, text in zip(open_questions(body), texts, strict=True):
        answer = answer_of(question.answer_schema, text)
        if isinstance(answer, McpAnswer):
            given[question.key] = answer
        else:
            problems[question.key] = answer
    questions = McpQuestions(questions=body.questions, state=body.state)
    if not problems:
        return McpRound(asked=questions, answers=given)
    again = asked(body.call_id, body.name, body.round + 1, questions)
    return again.model_copy(update={"given": given, "problems": problems})


def answer_of(schema: Mapping[str, JsonValue], text: str) -> McpAnswer | str:
    """The answer that a text gives, or why it gives none.

    `decline` and `cancel` say no. Any other text is the object as JSON; where the object has only
    one property, it may be the value of that; where it has none, any text accepts.
    """
    said = text.strip()
    match said.lower():
        case "decline":
            return McpAnswer(action="decline")
        case "cancel":
            return McpAnswer(action="cancel")
    problem = ""
    for content in _meanings(schema, said):
        misfit = mismatch(schema, content)
        if misfit is None:
            return McpAnswer(action="accept", content=content)
        problem = problem or misfit
    return problem or "the answer must be a JSON object"


def _meanings(schema: Mapping[str, JsonValue], text: str) -> Iterator[dict[str, JsonValue]]:
    """What the text may mean, the likeliest first."""
    value = _parsed(text)
    if isinstance(value, dict):
        yield value
    properties = schema.get("properties")
    names = list(properties) if isinstance(properties, dict) else []
    if not names:
        yield {}
    if len(names) == 1:
        if not isinstance(value, dict | str):
            yield {names[0]: value}
        yield {names[0]: value if isinstance(value, str) else text}


def _parsed(text: str) -> JsonValue:
    """The text as JSON; as it is if it is none."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value
