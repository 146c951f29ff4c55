"""Calls that a person approved, and unsafe calls of which nobody knows what became."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.tool.call import ToolActivities
from relayline.catalog.tools import Tool, ToolContext, tool
from relayline.contracts.calls import CheckRequest, CheckResult
from relayline.contracts.envelope import NewEvent, Outbox, StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ApprovalResolved, ToolCompleted
from relayline.contracts.keys import call_scope, resolved_key, result_key
from relayline.contracts.runs import ApprovalRule
from relayline.journal.port import SEALED, Appended, Fence, Journal, JournalUnavailable
from relayline.journal.table import Tenant
from tests.activities.tool.conftest import CALL, Bench, failure

APPROVAL = "approval_1_0"


@tool(approval="always")
def pay(amount: int) -> str:
    return f"paid {amount}"


@tool(approval=ApprovalRule(when={"properties": {"amount": {"minimum": 100}}}))
def spend(amount: int) -> str:
    return f"spent {amount}"


def resolved(**said: Any) -> NewEvent:
    body = ApprovalResolved(
        **{"approval_id": APPROVAL, "decision": "approve", "at": datetime.now(UTC), **said}
    )
    return NewEvent(key=resolved_key(APPROVAL), body=body)


async def test_an_approved_call_runs_with_the_models_arguments(bench: Bench) -> None:
    await bench.plan("pay", {"amount": 5})
    await bench.journal.append(bench.run_id, [resolved()])
    outcome = await bench.call(pay, approval_id=APPROVAL)
    assert outcome.preview == "paid 5"


async def test_an_approval_that_rides_along_counts(bench: Bench) -> None:
    await bench.plan("pay", {"amount": 5})
    carried = Outbox(facts=(resolved(),))
    assert (await bench.call(pay, approval_id=APPROVAL, outbox=carried)).preview == "paid 5"


async def test_arguments_that_a_person_changed_are_used_and_shown(bench: Bench) -> None:
    await bench.plan("pay", {"amount": 5})
    await bench.journal.append(bench.run_id, [resolved(arguments={"amount": 1})])
    assert (await bench.call(pay, approval_id=APPROVAL)).preview == "paid 1"
    [started] = await bench.events("tool.started")
    assert json.loads(started.data)["arguments"] == {"amount": 1}


async def test_changed_arguments_that_do_not_fit_fail_the_call(bench: Bench) -> None:
    await bench.plan("pay", {"amount": 5})
    await bench.journal.append(bench.run_id, [resolved(arguments={})])
    error = await failure(bench, pay, approval_id=APPROVAL)
    assert error.type == ErrorType.BAD_ARGUMENTS


@pytest.mark.parametrize("decision", [None, "deny", "expired", "withdrawn"])
async def test_an_approval_that_the_journal_does_not_have_lets_nothing_run(
    bench: Bench, decision: str | None
) -> None:
    await bench.plan("pay", {"amount": 5})
    if decision:
        await bench.journal.append(bench.run_id, [resolved(decision=decision)])
    error = await failure(bench, pay, approval_id=APPROVAL)
    assert (error.type, error.non_retryable) == (ErrorType.APPROVAL_REQUIRED, True)
    assert await bench.types() == ["tool.failed"]


async def test_a_rule_asks_only_for_the_calls_that_fit_it(bench: Bench) -> None:
    assert (await bench.run(spend, amount=99)).preview == "spent 99"
    other = Bench(bench.journal)
    await other.plan("spend", {"amount": 100})
    assert (await failure(other, spend)).type == ErrorType.APPROVAL_REQUIRED


async def test_a_question_is_never_run(bench: Bench) -> None:
    ran: list[str] = []

    @tool(asks=True, retries=0)
    def ask(question: str) -> None:
        ran.append(question)

    for arguments, said in (
        ({"question": "?"}, "this is not a valid question for a person"),
        ({}, "'question' is a required property"),
    ):
        one = Bench(bench.journal)
        await one.plan("ask", arguments)
        error = await failure(one, ask)
        assert (error.type, error.message) == (ErrorType.BAD_ARGUMENTS, said)
    assert not ran


def wire() -> tuple[Tool, list[int]]:
    """An unsafe tool that hangs the first time, and how often it ran."""
    ran: list[int] = []

    @tool(effects="unsafe")
    async def wire(context: ToolContext) -> str:
        ran.append(1)
        if len(ran) == 1:
            await asyncio.sleep(60)
        return context.idempotency_key

    return wire, ran


async def died_in(bench: Bench, made: Tool, ran: list[int]) -> None:
    """Run the call until its worker dies."""
    await bench.plan("wire", {})
    task, _ = bench.start(made)
    while not ran:
        await asyncio.sleep(0.01)
    task.cancel()  # nobody says why
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_unsafe_tool_that_was_started_and_has_no_end_is_not_run_again(
    bench: Bench,
) -> None:
    made, ran = wire()
    await died_in(bench, made, ran)
    for attempt in (2, 3):
        error = await failure(bench, made, attempt)
        assert (error.type, error.non_retryable) == (ErrorType.OUTCOME_UNKNOWN, True)
        assert "may or may not have run" in error.message
    assert ran == [1]
    assert await bench.result() is None
    assert await bench.types() == ["tool.started"]


async def test_a_further_run_that_a_person_wants_is_claimed_by_itself(bench: Bench) -> None:
    made, ran = wire()
    await died_in(bench, made, ran)
    await bench.journal.append(bench.run_id, [], Fence(call_scope(0, CALL), SEALED))
    outcome = await bench.call(made, run=1)
    assert ran == [1, 1]
    assert outcome.preview == f"{bench.run_id}/{call_scope(0, CALL)}"
    assert await bench.types() == ["tool.started", "tool.started", "tool.completed"]
    assert await bench.call(made, attempt=2, run=1) == outcome
    assert ran == [1, 1]


async def test_a_further_run_that_has_no_end_is_unknown_in_its_turn(bench: Bench) -> None:
    made, ran = wire()
    await bench.plan("wire", {})
    task, _ = bench.start(made, run=1)
    while not ran:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await failure(bench, made, 2, run=1)).type == ErrorType.OUTCOME_UNKNOWN
    assert ran == [1]


async def test_the_first_run_can_write_no_more_once_a_person_was_asked(bench: Bench) -> None:
    made, ran = wire()
    await died_in(bench, made, ran)
    seals = Outbox(seals=(call_scope(0, CALL),))
    await bench.call(made, run=1, outbox=seals)
    with pytest.raises(ApplicationError) as raised:
        await bench.call(made, attempt=9)
    assert raised.value.type == ErrorType.STALE_ATTEMPT


async def test_a_result_that_came_after_all_is_not_run_over(bench: Bench) -> None:
    made, ran = wire()
    await died_in(bench, made, ran)
    body = ToolCompleted(call_id=CALL, name="wire", output="wired at last")
    await bench.journal.append(bench.run_id, [NewEvent(key=result_key(0, CALL), body=body)])
    assert (await bench.call(made, run=1)).preview == "wired at last"
    assert ran == [1]


async def checked(journal: Journal, *tools: Tool, of: Tool, **arguments: Any) -> CheckResult:
    activities = ToolActivities(journal, {each.spec.name: each for each in tools})
    request = CheckRequest(tool=of.spec, arguments=arguments)
    return await ActivityEnvironment().run(activities.check_arguments, request)


async def test_arguments_are_checked_without_running_anything(bench: Bench) -> None:
    @tool
    def plan(when: date) -> None:
        raise AssertionError("it ran")

    journal = bench.journal
    assert await checked(journal, pay, plan, of=pay, amount=1) == CheckResult()
    assert await checked(journal, plan, of=plan, when="2026-01-02") == CheckResult()
    for of, arguments, problem in (
        (pay, {}, "'amount' is a required property"),
        (pay, {"amount": "1"}, "amount: '1' is not of type 'integer'"),
        (pay, {"amount": 1, "x": 1}, "('x' was unexpected)"),
        (pay, {"malformed_json": "{"}, "not valid JSON"),
        (plan, {"when": "soon"}, "when: "),
    ):
        found = await checked(journal, pay, plan, of=of, **arguments)
        assert found.problem
        assert problem in found.problem
    assert not await bench.events("")


async def test_a_worker_without_the_tool_can_not_check_its_arguments(bench: Bench) -> None:
    found = await checked(bench.journal, of=pay, amount=1)
    assert found == CheckResult(problem="this worker has no tool 'pay'")


async def test_the_pinned_schema_counts_and_not_that_of_the_worker(bench: Bench) -> None:
    strict = pay.spec.model_copy(
        update={"parameters": {"type": "object", "properties": {"amount": {"maximum": 10}}}}
    )
    pinned = dataclasses.replace(pay, spec=strict)
    found = await checked(bench.journal, pay, of=pinned, amount=11)
    assert found.problem
    assert found.problem.startswith("amount: 11 is greater")


class AwayOnceClaimed:
    """A journal that answers no question once an unsafe call is claimed, until its tool ran."""

    def __init__(self, journal: Journal, ran: list[int]) -> None:
        self._journal = journal
        self._ran = ran
        self._claimed = False

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        appended = await self._journal.append(run_id, events, fence)
        self._claimed |= any(event.body.type == "tool.started" for event in events)
        return appended

    async def get(self, tenant: Tenant, run_id: str, key: str) -> StoredEvent | None:
        if self._claimed and not self._ran:
            raise JournalUnavailable("no answer")
        return await self._journal.get(tenant, run_id, key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


async def test_once_claimed_an_unsafe_tool_runs_whatever_the_journal_does(bench: Bench) -> None:
    made, ran = wire()
    await bench.plan("wire", {})
    journal = AwayOnceClaimed(bench.journal, ran)
    task, _ = bench.start(made, journal=journal)
    while not ran and not task.done():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ran == [1]
