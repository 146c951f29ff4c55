"""What an MCP server asks in a call, and what people have answered. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from relayline.catalog.replies import answer_of
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
    given = {key: McpAnswer.model_validate(it) for key, it in body.given.items()}
    problems: dict[str, str] = {}
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
    kept = {key: it.model_dump(mode="json") for key, it in given.items()}
    return again.model_copy(update={"given": kept, "problems": problems})
