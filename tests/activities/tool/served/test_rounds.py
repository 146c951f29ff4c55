"""What an MCP server asks in a call, and the next round with the answers."""

from __future__ import annotations

import json

import pytest

from relayline.activities.tool.mcp.port import OutcomeUnknown
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    ToolAsked,
)
from relayline.contracts.keys import (
    call_scope,
)
from relayline.contracts.mcp import (
    MAX_ROUNDS,
    McpAnswer,
    McpQuestion,
    McpQuestions,
)
from tests.activities.tool.conftest import CALL, Bench
from tests.activities.tool.served.serving import Served

NUMBER = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
SIZE = McpQuestion(key="size", message="Which size?", answer_schema=NUMBER)
SURE = McpQuestion(key="sure", message="Sure?", answer_schema={"type": "object"})


def asks(*questions: McpQuestion, state: str = "s1") -> McpQuestions:
    return McpQuestions(questions=questions, state=state)


async def test_a_question_ends_the_run_of_the_call_and_its_answer_goes_with_the_next(
    bench: Bench,
) -> None:
    run = Served(bench, asks(SIZE, SURE), "ordered 4")
    await run.plan()
    outcome = await run.call()
    assert (outcome.status, outcome.asks) == ("asks", 2)
    assert await run.call(attempt=2) == outcome, "it does not run again to ask again"
    assert (len(run.servers.calls), await bench.result()) == (1, None)
    await run.answer("4", "decline")
    assert (await run.call()).preview == "ordered 4"
    round_ = run.servers.calls[1].round
    assert round_ is not None
    assert round_.asked == asks(SIZE, SURE)
    assert round_.answers == {
        "size": McpAnswer(action="accept", content={"size": 4}),
        "sure": McpAnswer(action="decline"),
    }


async def test_each_round_has_its_own_claim(bench: Bench) -> None:
    run = Served(bench, asks(SIZE), OutcomeUnknown("lost"), "ordered")
    await run.plan()
    await run.call()
    await run.answer("4")
    assert (await run.fails()).type == ErrorType.OUTCOME_UNKNOWN
    assert (await run.fails(attempt=2)).type == ErrorType.OUTCOME_UNKNOWN
    run.runs += 1
    assert (await run.call()).preview == "ordered"
    last = run.servers.calls[-1].round
    assert last is not None
    assert last.answers["size"].content == {"size": 4}, "the answers are still those"
    claims = [it.key for it in await bench.events() if it.type == "tool.started"]
    assert claims == [f"{call_scope(0, CALL, number)}/claim" for number in (0, 1, 2)]


async def test_clients_do_not_get_the_servers_state(bench: Bench) -> None:
    run = Served(bench, asks(SIZE, state="secret"))
    await run.plan()
    await run.call()
    event = next(it for it in await bench.events() if it.type == "tool.asked")
    assert "secret" in event.data
    shown = json.loads(event.envelope_json())["data"]
    assert shown["questions"] == [SIZE.model_dump()]
    assert "secret" not in event.envelope_json()


async def test_secrets_are_cut_out_of_what_people_are_asked(bench: Bench) -> None:
    run = Served(bench, asks(SIZE.model_copy(update={"message": "Is sk-123 yours?"})))
    await run.plan()
    await run.call(clean=lambda text: text.replace("sk-123", "[secret]"))
    [event] = [it for it in await bench.events() if it.type == "tool.asked"]
    assert "Is [secret] yours?" in event.data


async def test_an_answer_that_misfits_is_asked_for_again_without_the_server(
    bench: Bench,
) -> None:
    run = Served(bench, asks(SIZE, SURE), "ordered")
    await run.plan()
    await run.call()
    await run.answer("large", "{}")
    outcome = await run.call()
    assert (outcome.status, outcome.asks, len(run.servers.calls)) == ("asks", 1, 1)
    body = [it.body() for it in await bench.events() if it.type == "tool.asked"][-1]
    assert isinstance(body, ToolAsked)
    assert body.problems == {"size": "size: 'large' is not of type 'integer'"}
    await run.answer("5")
    await run.call()
    round_ = run.servers.calls[-1].round
    assert round_ is not None
    assert {key: it.action for key, it in round_.answers.items()} == {
        "size": "accept",
        "sure": "accept",
    }


async def test_a_server_asks_at_most_so_often(bench: Bench) -> None:
    run = Served(bench, *[asks(SIZE)] * (MAX_ROUNDS + 1))
    await run.plan()
    for _ in range(MAX_ROUNDS):
        assert (await run.call()).status == "asks"
        await run.answer("4")
    error = await run.fails()
    assert error.type == ErrorType.TOOL_FAILED
    assert f"asked {MAX_ROUNDS} times" in error.message


@pytest.mark.parametrize(
    ("questions", "said"),
    [
        (asks(*[SIZE.model_copy(update={"key": str(n)}) for n in range(17)]), "17 things at once"),
        (asks(SIZE, state="x" * 300_000), "262144 is the most"),
    ],
    ids=["questions", "bytes"],
)
async def test_a_server_that_asks_too_much_fails_the_call(
    bench: Bench, questions: McpQuestions, said: str
) -> None:
    run = Served(bench, questions)
    await run.plan()
    assert said in (await run.fails()).message
