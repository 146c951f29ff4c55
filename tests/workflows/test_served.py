"""Calls of MCP servers' tools: approvals, questions of the server, and unknown outcomes."""

from __future__ import annotations

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from relayline.contracts.calls import ModelResult, PlannedCall, ToolOutcome, ToolRequest
from relayline.contracts.commands import Answer, Cancel, Decide, Decision, Pause, Redirect, Resume
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ApprovalRequested, InputRequested
from relayline.contracts.mcp.planned import AskedBefore, McpPlan
from relayline.contracts.runs import RunStatus, Waiting
from tests.workflows.fakes import STOP, Fakes, send, shows
from tests.workflows.test_reset import Ended, reset

PLAN = McpPlan(
    server="notes",
    listed="0/tools",
    effects="unsafe",
    approval_timeout_s=60,
    timeout_s=7,
    retries=1,
)
KEY = "0/call/call_1_0/asked"


def planned(*, approval: bool = False, plan: McpPlan = PLAN) -> ModelResult:
    """The model calls `notes_add`."""
    call = PlannedCall(
        call_id="call_1_0", name="notes_add", preview="text=x", approval=approval, mcp=plan
    )
    return ModelResult(finish_reason="tool_calls", calls=(call,))


class Asking:
    """A tool whose server asks so many things in each round, and then returns."""

    def __init__(self, *rounds: int) -> None:
        self._rounds = list(rounds)

    async def __call__(self, request: ToolRequest) -> ToolOutcome:
        """One run of the call."""
        call_id = request.call.call_id
        if not self._rounds:
            return ToolOutcome(call_id=call_id, preview="ordered")
        if self._rounds[0] < 0:
            self._rounds.pop(0)
            kind = ErrorType.OUTCOME_UNKNOWN
            raise ApplicationError("lost in mid-call", type=kind, non_retryable=True)
        return ToolOutcome(call_id=call_id, status="asks", asks=self._rounds.pop(0))


class AskedAnew(Ended):
    """A request that a reset makes void is never closed: another one is open in its place."""

    def _check(self) -> None:
        assert not self.changed


def answer(command_id: str, text: str, request_id: str) -> Answer:
    return Answer(command_id=command_id, request_id=request_id, text=text, by="ann")


def asked_before(request: ToolRequest) -> AskedBefore | None:
    assert request.call.mcp is not None
    return request.call.mcp.asked


async def test_a_call_is_sent_with_what_the_plan_says(temporal: Client) -> None:
    fakes = Fakes([planned(), STOP])
    fakes.tools = ()
    async with fakes.running(temporal) as handle:
        assert (await handle.result()).status is RunStatus.COMPLETED
    [request] = fakes.requests
    assert request.tool is None, "the journal has it"
    assert request.call.mcp == PLAN


async def test_an_approval_names_the_server_and_where_its_schema_is(temporal: Client) -> None:
    fakes = Fakes([planned(approval=True), STOP])
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        decide = Decide(command_id="d", approval_id="approval_1_0", decision=Decision.APPROVE)
        wrong = decide.model_copy(update={"command_id": "w", "arguments": {"bad": 1}})
        await send(handle, wrong)
        await fakes.settled("w")
        await send(handle, decide)
        assert (await handle.result()).status is RunStatus.COMPLETED
    fact = fakes.fact("approval.requested")
    assert isinstance(fact.body, ApprovalRequested)
    assert (fact.body.server, fact.body.tool, fact.body.effects) == (
        "notes",
        "notes_add",
        "unsafe",
    )
    assert fact.source == "0/tools"
    assert fact.body.expires_at is not None
    assert fakes.refused("w") == "arguments: bad: does not fit"
    assert fakes.requests[0].approval_id == "approval_1_0"
    assert fakes.checks[0].mcp == PLAN


async def test_people_answer_one_question_after_the_other_and_the_call_runs_again(
    temporal: Client,
) -> None:
    fakes = Fakes([planned(), STOP], Asking(2))
    async with fakes.running(temporal) as handle:
        progress = await shows(handle, RunStatus.WAITING)
        what = "notes_add(text=x) asks"
        assert progress.waiting_for == (Waiting(kind="input", id="input_1_0_0_0", what=what),)
        await send(handle, answer("a", "4", "input_1_0_0_0"))
        await fakes.until("input.requested", 2)
        await send(handle, answer("b", "no", "input_1_0_0_1"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    first, second = fakes.requests
    assert (first.run, asked_before(first)) == (0, None)
    assert second.run == 1
    assert asked_before(second) == AskedBefore(key=KEY, requests=("input_1_0_0_0", "input_1_0_0_1"))
    bodies = fakes.bodies("input.requested")
    assert [body.request_id for body in bodies if isinstance(body, InputRequested)] == [
        "input_1_0_0_0",
        "input_1_0_0_1",
    ]
    fact = fakes.fact("input.requested")
    assert isinstance(fact.body, InputRequested)
    assert (fact.body.server, fact.body.question, fact.source) == ("notes", "", KEY)
    assert "tool.completed" not in fakes.types, "its activity records the end"


async def test_a_call_may_ask_again(temporal: Client) -> None:
    fakes = Fakes([planned(), STOP], Asking(1, 1))
    async with fakes.running(temporal) as handle:
        for number in range(2):
            await fakes.until("input.requested", number + 1)
            await send(handle, answer(f"a{number}", "4", f"input_1_0_{number}_0"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert [request.run for request in fakes.requests] == [0, 1, 2]
    assert asked_before(fakes.requests[2]) == AskedBefore(
        key="0/call/call_1_0/run/1/asked", requests=("input_1_0_1_0",)
    )


async def test_a_lost_answer_to_a_question_runs_again_by_a_persons_word_with_the_same_answers(
    temporal: Client,
) -> None:
    fakes = Fakes([planned(), STOP], Asking(1, -1))
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, answer("a", "4", "input_1_0_0_0"))
        await fakes.until("input.requested", 2)
        await send(handle, answer("b", "run it", "outcome_1_0_2"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    fact = fakes.fact("input.requested")
    assert isinstance(fact.body, InputRequested)
    assert fact.body.server == "notes"
    assert fact.body.question.startswith("outcome unknown: notes_add(text=x) was started")
    assert fact.source == ""
    _, second, third = fakes.requests
    assert (second.run, third.run) == (1, 2)
    assert asked_before(third) == asked_before(second)


@pytest.mark.parametrize("how", ["redirect", "cancel"])
async def test_a_command_withdraws_the_question_of_a_server(temporal: Client, how: str) -> None:
    fakes = Fakes([planned(), STOP], Asking(1))
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        cancels = how == "cancel"
        redirect = Redirect(command_id="r", message="leave it", by="bob")
        await send(handle, Cancel(command_id="c") if cancels else redirect)
        status = (await handle.result()).status
    assert status is (RunStatus.CANCELLED if cancels else RunStatus.COMPLETED)
    assert fakes.count("input.closed") == fakes.count("tool.cancelled") == 1
    assert len(fakes.requests) == 1


async def test_a_paused_run_takes_an_answer_and_calls_later(temporal: Client) -> None:
    fakes = Fakes([planned(), STOP], Asking(1))
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, Pause(command_id="p"), answer("a", "4", "input_1_0_0_0"))
        await fakes.settled("p", "a")
        await shows(handle, RunStatus.PAUSED)
        assert len(fakes.requests) == 1
        await send(handle, Resume(command_id="r"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert len(fakes.requests) == 2


async def test_after_a_reset_the_question_is_open_again_and_earlier_answers_count(
    temporal: Client,
) -> None:
    fakes = AskedAnew([planned(), STOP], Asking(2))
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, answer("a", "4", "input_1_0_0_0"))
        await fakes.until("input.requested", 2)
        again = await reset(fakes, handle)
        await fakes.until("input.requested", 3)
        await send(again, answer("b", "no", "input_e1_1_0_0_1"))
        assert (await again.result()).status is RunStatus.COMPLETED
    assert fakes.fact("input.requested").source == KEY
    assert asked_before(fakes.requests[-1]) == AskedBefore(
        key=KEY, requests=("input_1_0_0_0", "input_e1_1_0_0_1")
    )
    assert KEY in fakes.rewinds[0].known
