"""Tools of MCP servers in the activity `call_tool`: claims, questions, lost connections."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.tool.call import ToolActivities
from relayline.activities.tool.mcp.port import McpFailure, OutcomeUnknown
from relayline.activities.tool.served.pinned import listed_fact
from relayline.contracts.calls import CheckRequest, ToolOutcome
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    ApprovalResolved,
    InputReceived,
    RunQueued,
    StepStarted,
    ToolAsked,
)
from relayline.contracts.keys import (
    QUEUED_KEY,
    asked_id,
    asked_key,
    call_scope,
    resolved_key,
    started_key,
    tools_key,
)
from relayline.contracts.mcp import (
    MAX_ROUNDS,
    Listing,
    McpAnswer,
    McpQuestion,
    McpQuestions,
    McpToolSpec,
)
from relayline.contracts.mcp.planned import AskedBefore, McpPlan
from tests.activities.fake_servers import FakeServers, served
from tests.activities.tool.conftest import CALL, RUN_CANCELLED, Bench, failure

NUMBER = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
SIZE = McpQuestion(key="size", message="Which size?", answer_schema=NUMBER)
SURE = McpQuestion(key="sure", message="Sure?", answer_schema={"type": "object"})


class Served:
    """A call of `notes_add` with the text `x`, after its list has been pinned."""

    def __init__(self, bench: Bench, *results: object, **spec: Any) -> None:
        self.bench = bench
        self.tool = served("add", **{"effects": "unsafe", **spec})
        self.servers = FakeServers(self.tool, results=results)
        self.runs = 0
        self.asked: AskedBefore | None = None

    async def plan(self, arguments: dict[str, Any] | None = None) -> None:
        """What the model call has left in the journal."""
        body = listed_fact(("notes",), Listing(tools=(self.tool,)))
        await self.bench.journal.append(self.bench.run_id, [NewEvent(key=tools_key(0), body=body)])
        await self.bench.plan("notes_add", {"text": "x"} if arguments is None else arguments)

    def changes(self, **changes: Any) -> dict[str, Any]:
        spec = self.tool.spec
        plan = McpPlan(
            server="notes",
            listed=tools_key(0),
            effects=spec.effects,
            approval_timeout_s=60,
            timeout_s=spec.timeout_s,
            retries=spec.retries,
            asked=self.asked,
        )
        given = {"mcp": plan, "spec": plan.spec("notes_add"), "servers": self.servers}
        return given | {"run": self.runs} | changes

    async def call(self, attempt: int = 1, **changes: Any) -> ToolOutcome:
        return await self.bench.call(None, attempt, **self.changes(**changes))

    async def fails(self, attempt: int = 1, **changes: Any) -> ApplicationError:
        return await failure(self.bench, None, attempt, **self.changes(**changes))

    async def answer(self, *texts: str) -> None:
        """People answer; the next call is the next run."""
        ids = tuple(asked_id(0, CALL, self.runs, number) for number in range(len(texts)))
        facts = [
            NewEvent(key=resolved_key(id_), body=InputReceived(request_id=id_, text=text))
            for id_, text in zip(ids, texts, strict=True)
        ]
        await self.bench.journal.append(self.bench.run_id, facts)
        self.asked = AskedBefore(key=asked_key(0, CALL, self.runs), requests=ids)
        self.runs += 1


def asks(*questions: McpQuestion, state: str = "s1") -> McpQuestions:
    return McpQuestions(questions=questions, state=state)


async def test_a_call_is_claimed_runs_once_and_leaves_its_result(bench: Bench) -> None:
    run = Served(bench, "added")
    await run.plan()
    outcome = await run.call()
    assert outcome.preview == "added"
    assert await run.call(attempt=2) == outcome
    [call] = run.servers.calls
    assert (call.tool, call.arguments, call.round) == (run.tool, {"text": "x"}, None)
    assert await bench.types() == ["tool.started", "tool.progress", "tool.completed"]


async def test_the_server_may_be_told_of_the_run(bench: Bench) -> None:
    run = Served(bench)
    await run.plan()
    queued = RunQueued(agent="clerk", model="m", submitted_at="2026-12-01T00:00:00Z")
    queued = queued.model_copy(update={"metadata": {"order": "7"}})
    facts = [
        NewEvent(key=QUEUED_KEY, body=queued),
        NewEvent(key=started_key(0, 1), body=StepStarted(model="m", turn=2), step=1),
    ]
    await bench.journal.append(bench.run_id, facts)
    await run.call()
    assert run.servers.calls[0].about == {
        "step": 1,
        "agent": "clerk",
        "metadata": {"order": "7"},
        "turn": 2,
    }


async def test_arguments_are_checked_against_the_pinned_schema(bench: Bench) -> None:
    run = Served(bench)
    await run.plan({"text": 7})
    error = await run.fails()
    assert (error.type, run.servers.calls) == (ErrorType.BAD_ARGUMENTS, [])
    assert "text: 7 is not of type 'string'" in error.message


async def test_nobody_runs_it_without_the_approval_that_is_pinned(bench: Bench) -> None:
    run = Served(bench, approval="always")
    await run.plan()
    error = await run.fails()
    assert (error.type, run.servers.calls) == (ErrorType.APPROVAL_REQUIRED, [])


async def test_an_approved_call_runs_with_a_persons_arguments(bench: Bench) -> None:
    run = Served(bench, approval="always")
    await run.plan()
    body = ApprovalResolved(
        approval_id="a", decision="approve", at="2026-12-01T00:00:00Z", arguments={"text": "y"}
    )
    await bench.journal.append(bench.run_id, [NewEvent(key=resolved_key("a"), body=body)])
    await run.call(approval_id="a")
    assert run.servers.calls[0].arguments == {"text": "y"}


async def test_a_safe_call_runs_again_after_a_failure_and_an_unsafe_one_does_not(
    bench: Bench,
) -> None:
    lost = McpFailure("notes: the connection was closed", retryable=True)
    run = Served(bench, lost, "added", effects="safe")
    await run.plan()
    assert not (await run.fails()).non_retryable
    assert (await run.call(attempt=2)).preview == "added"


async def test_an_unsafe_call_that_lost_its_connection_is_for_a_person(bench: Bench) -> None:
    run = Served(bench, OutcomeUnknown("notes was lost in mid-call"))
    await run.plan()
    error = await run.fails()
    assert (error.type, error.non_retryable) == (ErrorType.OUTCOME_UNKNOWN, True)
    assert await bench.result() is None, "the journal has no end of it"
    assert (await run.fails(attempt=2)).type == ErrorType.OUTCOME_UNKNOWN
    run.runs = 1  # a person said: run it
    assert (await run.call()).status == "completed"
    assert len(run.servers.calls) == 2


@pytest.mark.parametrize("kind", [ErrorType.TOOL_CHANGED, ErrorType.UNKNOWN_TOOL])
async def test_a_tool_that_is_another_now_fails_for_good(bench: Bench, kind: ErrorType) -> None:
    run = Served(bench, McpFailure("notes has changed it", kind=kind), effects="safe")
    await run.plan()
    error = await run.fails()
    assert (error.type, error.non_retryable) == (kind, True)
    assert (await bench.result()).error_type == kind


async def test_a_worker_without_the_server_says_so(bench: Bench) -> None:
    run = Served(bench)
    await run.plan()
    error = await run.fails(servers=None)
    assert (error.type, error.message) == (
        ErrorType.UNKNOWN_TOOL,
        "this worker has no tool 'notes_add'",
    )


async def test_a_list_that_the_journal_lacks_fails_the_call_for_good(bench: Bench) -> None:
    run = Served(bench)
    await bench.plan("notes_add", {"text": "x"})
    with pytest.raises(ApplicationError) as raised:
        await run.call()
    assert raised.value.type == ErrorType.JOURNAL_INCOMPLETE


async def test_a_cancelled_call_says_that_the_server_was_told_and_no_more(bench: Bench) -> None:
    run = Served(bench, "hang")
    await run.plan()
    task, env = bench.start(None, 1, **run.changes())
    while not run.servers.calls:
        await asyncio.sleep(0.01)
    env.cancel(RUN_CANCELLED)
    with pytest.raises(BaseException):  # noqa: B017, PT011  the cancellation
        await task
    assert (await bench.result()).confirmed is False


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


async def test_edited_arguments_are_checked_against_the_pinned_schema(bench: Bench) -> None:
    run = Served(bench)
    await run.plan()
    activities = ToolActivities(bench.journal, {}, servers=run.servers)
    plan = run.changes()["mcp"]

    async def problem(arguments: dict[str, Any]) -> str | None:
        request = CheckRequest(
            tool=plan.spec("notes_add"), arguments=arguments, run_id=bench.run_id, mcp=plan
        )
        return (await ActivityEnvironment().run(activities.check_arguments, request)).problem

    assert await problem({"text": "y"}) is None
    assert await problem({"text": 7}) == "text: 7 is not of type 'string'"
    assert McpToolSpec.model_validate(run.tool.model_dump()) == run.tool
