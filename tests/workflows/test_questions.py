"""Questions to a person: those that a model asks, and what became of an unsafe tool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from relayline.contracts.calls import ModelResult, PlannedCall, Question, ToolOutcome, ToolRequest
from relayline.contracts.commands import Answer, Cancel, Pause, Redirect
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    InputClosed,
    InputReceived,
    InputRequested,
    RunCancelled,
    ToolCompleted,
    ToolFailed,
)
from relayline.contracts.runs import RunStatus, ToolSpec, Waiting
from tests.workflows.fakes import STOP, Fakes, Stubborn, hangs, send, shows

Calls = Callable[[ToolRequest], bool]


def asks(question: Question) -> Fakes:
    """A run whose model asks a person."""
    call = PlannedCall(call_id="call_1_0", name="ask_user", preview="Which one?", question=question)
    fakes = Fakes([ModelResult(finish_reason="tool_calls", calls=(call,)), STOP])
    fakes.tools = (ToolSpec(name="ask_user", asks=True),)
    return fakes


def answer(command_id: str, text: str, request_id: str = "input_1_0") -> Answer:
    return Answer(command_id=command_id, request_id=request_id, text=text, by="ann")


async def test_the_answer_to_a_question_is_the_result_of_the_call(temporal: Client) -> None:
    fakes = asks(Question(choices=("red", "blue")))
    async with fakes.running(temporal) as handle:
        progress = await shows(handle, RunStatus.WAITING)
        assert progress.waiting_for == (Waiting(kind="input", id="input_1_0", what="Which one?"),)
        await send(handle, answer("a", "green"), answer("b", "blue"), answer("c", "red"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert not fakes.requests
    requested = fakes.fact("input.requested").body
    assert isinstance(requested, InputRequested)
    assert requested.data_schema == {"type": "string", "enum": ["red", "blue"]}
    assert (requested.question, requested.expires_at) == ("", None)
    assert fakes.refused("a").startswith("text: answer one of ")
    assert fakes.applied("b") == "answered: Which one?"
    assert fakes.refused("c").startswith("input_1_0 was answered by ann at ")
    assert fakes.fact("input.received").body == InputReceived(
        request_id="input_1_0", text="blue", by="ann"
    )
    assert fakes.fact("tool.completed").body == ToolCompleted(
        call_id="call_1_0", name="ask_user", output="blue"
    )


async def test_a_question_that_nobody_answers_in_time_fails(temporal: Client) -> None:
    fakes = asks(Question(within_s=0.3))
    async with fakes.running(temporal) as handle:
        assert (await handle.result()).status is RunStatus.COMPLETED
    closed = fakes.fact("input.closed").body
    assert isinstance(closed, InputClosed)
    assert closed.reason == "expired"
    assert fakes.fact("tool.failed").body == ToolFailed(
        call_id="call_1_0",
        name="ask_user",
        error="nobody answered in time",
        error_type=ErrorType.NO_ANSWER,
    )


async def test_a_redirect_withdraws_a_question(temporal: Client) -> None:
    fakes = asks(Question())
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, Redirect(command_id="x", message="never mind", by="bob"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    closed = fakes.fact("input.closed").body
    assert isinstance(closed, InputClosed)
    assert (closed.reason, closed.by) == ("withdrawn", "bob")
    assert fakes.count("tool.cancelled") == 1


def pays(unknown: Calls, *others: str) -> Fakes:
    """A run that pays, and nobody knows whether it did when `unknown` says so."""

    async def work(request: ToolRequest) -> ToolOutcome:
        if request.call.name != "pay":
            await hangs(request)
        if unknown(request):
            kind = ErrorType.OUTCOME_UNKNOWN
            raise ApplicationError("who knows", type=kind, non_retryable=True)
        return ToolOutcome(call_id=request.call.call_id)

    calls = tuple(
        PlannedCall(call_id=f"call_1_{index}", name=name, preview="amount=5")
        for index, name in enumerate(("pay", *others))
    )
    fakes = Fakes([ModelResult(finish_reason="tool_calls", calls=calls), STOP], work)
    fakes.tools = (ToolSpec(name="pay", effects="unsafe"), *map(spec, others))
    return fakes


def spec(name: str) -> ToolSpec:
    return ToolSpec(name=name)


def always(_: ToolRequest) -> bool:
    return True


async def test_what_a_person_says_happened_is_the_result_of_the_call(temporal: Client) -> None:
    fakes = pays(always)
    async with fakes.running(temporal) as handle:
        progress = await shows(handle, RunStatus.WAITING)
        [waiting] = progress.waiting_for
        assert (waiting.kind, waiting.id) == ("input", "outcome_1_0_1")
        assert waiting.what.startswith("outcome unknown: pay(amount=5)")
        await send(handle, answer("a", "no idea", "outcome_1_0_1"))
        await send(handle, answer("b", "happened: paid\ntwice", "outcome_1_0_1"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert fakes.refused("a").startswith("text: ")
    body = fakes.fact("tool.completed").body
    assert isinstance(body, ToolCompleted)
    assert body.output == "paid\ntwice"
    assert len(fakes.requests) == 1
    assert fakes.seals == {"0/call/call_1_0"}
    requested = fakes.fact("input.requested").body
    assert isinstance(requested, InputRequested)
    assert requested.data_schema
    assert "pattern" in requested.data_schema


async def test_a_person_may_have_it_run_once_more_and_is_asked_again(temporal: Client) -> None:
    fakes = pays(lambda request: request.run < 2)
    async with fakes.running(temporal) as handle:
        for number in (1, 2):
            await fakes.until("input.requested", number)
            await send(handle, answer(f"a{number}", "run it", f"outcome_1_0_{number}"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert [it.run for it in fakes.requests] == [0, 1, 2]
    assert fakes.seals == {"0/call/call_1_0", "0/call/call_1_0/run/1"}
    assert fakes.count("run.waiting") == 2


async def test_a_person_may_end_the_run_instead(temporal: Client) -> None:
    fakes = pays(always, "look")
    async with fakes.running(temporal) as handle:
        await fakes.until("input.requested")
        await send(handle, Pause(command_id="p"), answer("a", "stop", "outcome_1_0_1"))
        assert (await handle.result()).status is RunStatus.CANCELLED
    body = fakes.fact("run.cancelled").body
    assert isinstance(body, RunCancelled)
    assert (body.by, body.reason) == ("ann", "the outcome of pay is unknown")
    failed = fakes.fact("tool.failed").body
    assert isinstance(failed, ToolFailed)
    assert failed.error_type == ErrorType.OUTCOME_UNKNOWN
    assert fakes.count("tool.cancelled") == 1
    assert fakes.refused("p") == "run-ended"
    assert fakes.applied("a").startswith("answered: outcome unknown: pay")


async def test_happened_without_a_result_says_that_it_happened(temporal: Client) -> None:
    fakes = pays(always)
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, answer("a", "happened", "outcome_1_0_1"))
        await handle.result()
    body = fakes.fact("tool.completed").body
    assert isinstance(body, ToolCompleted)
    assert body.output == "A person confirmed that it happened."


@pytest.mark.parametrize("command", [Cancel(command_id="x"), Redirect(command_id="x", message="m")])
async def test_an_open_question_what_became_of_a_tool_ends_with_the_step(
    temporal: Client, command: Cancel | Redirect
) -> None:
    fakes = pays(always)
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, command)
        await handle.result()
    failed = fakes.fact("tool.failed").body
    assert isinstance(failed, ToolFailed)
    assert failed.error == "it was started and may or may not have run"
    assert fakes.count("input.closed") == 1


async def test_what_became_of_a_tool_is_not_asked_once_the_run_is_cancelled(
    temporal: Client,
) -> None:
    hanging = Stubborn()

    async def unknown(request: ToolRequest) -> ToolOutcome:
        await hanging.tool(request)
        kind = ErrorType.OUTCOME_UNKNOWN
        raise ApplicationError("who knows", type=kind, non_retryable=True)

    fakes = Fakes([ModelResult(finish_reason="tool_calls", calls=(PAY,)), STOP], unknown)
    fakes.tools = (ToolSpec(name="pay", effects="unsafe"),)
    async with fakes.running(temporal) as handle:
        while not fakes.requests:
            await asyncio.sleep(0.01)
        await send(handle, Cancel(command_id="x", by="ann"))
        await fakes.until("command.accepted")
        hanging.release()
        assert (await handle.result()).status is RunStatus.CANCELLED
    closed = fakes.fact("input.closed").body
    assert isinstance(closed, InputClosed)
    assert (closed.reason, closed.by) == ("withdrawn", "ann")
    assert "run.waiting" not in fakes.types


PAY = PlannedCall(call_id="call_1_0", name="pay")
