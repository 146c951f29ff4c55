"""Tools of MCP servers in the activity `call_tool`: claims, approvals, lost connections."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.tool.call import ToolActivities
from relayline.activities.tool.mcp.port import McpFailure, OutcomeUnknown
from relayline.contracts.calls import CheckRequest
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    ApprovalResolved,
    RunQueued,
    StepStarted,
)
from relayline.contracts.keys import (
    QUEUED_KEY,
    resolved_key,
    started_key,
)
from relayline.contracts.mcp import (
    McpToolSpec,
)
from tests.activities.tool.conftest import RUN_CANCELLED, Bench
from tests.activities.tool.served.serving import Served


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


async def test_a_cancelled_call_whose_process_has_ended_is_confirmed(bench: Bench) -> None:
    run = Served(bench, "hang")
    await run.plan()
    task, env = bench.start(None, 1, **run.changes())
    while not run.servers.calls:
        await asyncio.sleep(0.01)
    run.servers.calls[0].stopped.set()
    env.cancel(RUN_CANCELLED)
    with pytest.raises(BaseException):  # noqa: B017, PT011  the cancellation
        await task
    assert (await bench.result()).confirmed is True


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
