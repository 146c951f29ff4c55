"""Questions that a server asks in the middle of a call, answered hours later."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from relayline.activities.tool.mcp.port import McpFailure
from relayline.contracts.errors import ErrorType
from relayline.contracts.mcp import McpAnswer, McpQuestions, McpRound
from tests.activities.tool.mcp.conftest import Wing, odd, wing, words

pytestmark = pytest.mark.slow


async def asked(of: Wing) -> McpQuestions:
    await of.pin()
    questions = await of.call("order", {"what": "tea"})
    assert isinstance(questions, McpQuestions)
    [question] = questions.questions
    assert question.message == "Which size?"
    assert question.answer_schema["required"] == ["size"]
    assert questions.state
    return questions


def answered(questions: McpQuestions, answer: McpAnswer) -> McpRound:
    kept = McpRound(asked=questions, answers={questions.questions[0].key: answer})
    return McpRound.model_validate_json(kept.model_dump_json())


SIX = McpAnswer(action="accept", content={"size": 6})


@pytest.mark.parametrize("key", [secrets.token_hex(32), ""], ids=["shared key", "its own key"])
async def test_a_question_outlives_client_and_server(tmp_path: Path, key: str) -> None:
    server = odd(tmp_path, env={"ODD_STATE_KEY": key} if key else {})
    async with wing(server) as first:
        questions = await asked(first)
    assert words(tmp_path, "effects") == 0
    async with wing(server) as second:
        await second.pin()
        again = answered(questions, SIX)
        assert await second.call("order", {"what": "tea"}, again=again) == "ordered tea in 6"
    assert words(tmp_path, "effects") == 1
    assert words(tmp_path, "starts") == 2


async def test_a_question_that_is_another_now_is_asked_anew(tmp_path: Path) -> None:
    async with wing(odd(tmp_path)) as first:
        questions = await asked(first)
    async with wing(odd(tmp_path, env={"ODD_QUESTION": "How large?"})) as second:
        await second.pin()
        again = await second.call("order", {"what": "tea"}, again=answered(questions, SIX))
        assert isinstance(again, McpQuestions)
        assert again.questions[0].message == "How large?"
        assert words(tmp_path, "effects") == 0
        done = await second.call("order", {"what": "tea"}, again=answered(again, SIX))
        assert done == "ordered tea in 6"


async def test_a_person_may_decline_and_a_bad_answer_is_refused(tmp_path: Path) -> None:
    async with wing(odd(tmp_path)) as one:
        questions = await asked(one)
        no = answered(questions, McpAnswer(action="decline"))
        with pytest.raises(McpFailure, match="decline") as declined:
            await one.call("order", {"what": "tea"}, again=no)
        assert not declined.value.retryable
        nested = McpAnswer(action="accept", content={"size": {"much": 1}})
        with pytest.raises(McpFailure, match="can't be sent") as bad:
            await one.call("order", {"what": "tea"}, again=answered(questions, nested))
        assert bad.value.kind == ErrorType.BAD_ARGUMENTS
        assert words(tmp_path, "effects") == 0
