"""Open runs: each message is answered in one turn, or refused."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from relayline.contracts.calls import ModelRequest, ModelResult
from relayline.contracts.commands import AnyCommand, Cancel, Close, Pause, Redirect, SendMessage
from relayline.contracts.events import (
    CommandApplied,
    RunCompleted,
    StepStarted,
    TurnCompleted,
    UserMessageEvent,
)
from relayline.contracts.messages import Usage
from relayline.contracts.runs import Limits, RunResult, RunStatus
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.turns.messages import MAX_MESSAGES
from tests.workflows.fakes import CALL, STOP, Fakes, Model, Stubborn, hangs, send, shows

Handle = WorkflowHandle[AgentRun, RunResult]
SPENT = ModelResult(
    finish_reason="stop", preview="done", usage=Usage(input_tokens=6, output_tokens=1)
)


def talk(*models: Model | ModelResult, idle_s: float = 3600) -> Fakes:
    """A conversation whose steps these are."""
    fakes = Fakes(models)
    fakes.idle_s = idle_s
    return fakes


def turns(fakes: Fakes) -> list[tuple[int, str]]:
    """The turns that have ended, and how."""
    bodies = fakes.bodies("turn.completed")
    return [(it.turn, it.status) for it in bodies if isinstance(it, TurnCompleted)]


def said(fakes: Fakes) -> list[tuple[str, int | None, str | None]]:
    """What people said, in which turn, by which command."""
    bodies = fakes.bodies("message.user")
    return [(it.text, it.turn, it.command_id) for it in bodies if isinstance(it, UserMessageEvent)]


def message(id_: str, if_busy: str = "queue") -> SendMessage:
    """A message that says its id."""
    return SendMessage(content=id_, command_id=id_, if_busy=if_busy)


async def fails(_: ModelRequest) -> ModelResult:
    """A model that can't be called."""
    raise ApplicationError("no such key", type="unknown-model", non_retryable=True)


@pytest.mark.slow
async def test_each_message_begins_a_turn_and_between_two_the_run_is_idle(temporal: Client) -> None:
    fakes = talk(SPENT, SPENT, SPENT)
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.IDLE)
        await send(handle, message("b"))
        await fakes.until("turn.completed", 2)
        await send(handle, message("c"))
        await fakes.until("turn.completed", 3)
        await send(handle, Close(command_id="end"))
        result = await handle.result()
    assert (result.status, result.steps) == (RunStatus.COMPLETED, 3)
    assert turns(fakes) == [(1, "completed"), (2, "completed"), (3, "completed")]
    assert said(fakes) == [("hi", 1, None), ("b", 2, "b"), ("c", 3, "c")]
    applied = fakes.outcome("c")
    assert isinstance(applied, CommandApplied)
    assert applied.turn == 3
    started = [it.turn for it in fakes.bodies("step.started") if isinstance(it, StepStarted)]
    assert started == [1, 2, 3]
    usages = [it.usage for it in fakes.bodies("turn.completed") if isinstance(it, TurnCompleted)]
    assert [it.total_tokens for it in usages] == [7, 7, 7]
    ended = fakes.fact("run.completed").body
    assert isinstance(ended, RunCompleted)
    assert (ended.output, ended.usage.total_tokens) == ("done", 21)


@pytest.mark.slow
async def test_messages_that_come_while_a_turn_runs_are_answered_in_order(temporal: Client) -> None:
    model = Stubborn()
    fakes = talk(model.model, STOP, STOP)
    first = [message("a"), message("b"), message("no", "reject")]
    async with fakes.running(temporal, first=first) as handle:
        await fakes.until("command.refused")
        assert fakes.refused("no").startswith("busy")
        assert turns(fakes) == []
        model.release()
        await fakes.until("turn.completed", 3)
        await send(handle, Close(command_id="end"))
        await handle.result()
    assert said(fakes) == [("hi", 1, None), ("a", 2, "a"), ("b", 3, "b")]
    assert fakes.count("command.applied") == 3


@pytest.mark.slow
async def test_a_message_may_interrupt_the_running_turn_and_belong_to_it(temporal: Client) -> None:
    fakes = talk(hangs, STOP)
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, message("now", "redirect"))
        await fakes.until("turn.completed")
        await send(handle, Close())
        await handle.result()
    assert turns(fakes) == [(1, "completed")]
    assert said(fakes)[-1] == ("now", 1, "now")


@pytest.mark.slow
async def test_what_is_sent_before_a_close_is_answered_and_what_comes_later_is_refused(
    temporal: Client,
) -> None:
    fakes = talk(STOP, STOP)
    first: list[AnyCommand] = [
        message("a"),
        Close(command_id="end"),
        message("late"),
        Close(command_id="again"),
    ]
    async with fakes.running(temporal, first=first) as handle:
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert turns(fakes) == [(1, "completed"), (2, "completed")]
    assert fakes.refused("late").startswith("run-closing")
    assert fakes.refused("again").startswith("run-closing")


@pytest.mark.slow
async def test_a_run_that_is_idle_for_too_long_ends_and_loses_no_message(temporal: Client) -> None:
    for wait_s in (0.3, 0.45, 0.5, 0.55, 0.8):
        fakes = talk(STOP, STOP, idle_s=0.5)
        async with fakes.running(temporal) as handle:
            await fakes.until("turn.completed")
            await asyncio.sleep(wait_s)
            sent = await _sent(handle, message("b"))
            result = await handle.result()
        assert result.status is RunStatus.COMPLETED
        answered = said(fakes)[1:] == [("b", 2, "b")] and turns(fakes)[-1] == (2, "completed")
        unread = sent and "command/b/accepted" not in {fact.key for fact in fakes.facts}
        assert answered or not sent or unread or fakes.refused("b") == "run-ended"


async def _sent(handle: Handle, command: SendMessage) -> bool:
    """Whether Temporal took the command."""
    try:
        await send(handle, command)
    except RPCError:  # the run has ended
        return False
    return True


@pytest.mark.slow
async def test_a_failure_or_a_limit_ends_the_turn_and_the_next_one_begins_afresh(
    temporal: Client,
) -> None:
    fakes = talk(fails, CALL, CALL, STOP)
    async with fakes.running(temporal, Limits(max_steps=1)) as handle:
        await fakes.until("turn.completed")
        progress = await shows(handle, RunStatus.IDLE)
        assert progress.last_error is not None
        await send(handle, message("b"))
        await fakes.until("turn.completed", 2)
        await send(handle, message("c"))
        await fakes.until("turn.completed", 3)
        await send(handle, message("d"))
        await fakes.until("turn.completed", 4)
        assert (await shows(handle, RunStatus.IDLE)).last_error is None
        await send(handle, Close())
        await handle.result()
    assert [status for _, status in turns(fakes)] == ["failed", "failed", "failed", "completed"]
    errors = [it.error for it in fakes.bodies("turn.completed") if isinstance(it, TurnCompleted)]
    types = [it.type if it else None for it in errors]
    assert types == ["unknown-model", "budget-exceeded", "budget-exceeded", None]


@pytest.mark.slow
async def test_a_cancel_ends_the_turn_or_the_run(temporal: Client) -> None:
    fakes = talk(hangs, hangs)
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, Cancel(command_id="turn", scope="turn"))
        await shows(handle, RunStatus.IDLE)
        await send(handle, Cancel(command_id="idle", scope="turn"), message("b"))
        await fakes.until("step.started", 2)
        await send(handle, Cancel(command_id="run"))
        assert (await handle.result()).status is RunStatus.CANCELLED
    assert turns(fakes) == [(1, "cancelled"), (2, "cancelled")]
    assert fakes.applied("turn") == "the turn is cancelled; cancelled: the model"
    assert fakes.refused("idle") == "idle: no turn runs"
    assert fakes.types[-1] == "run.cancelled"


@pytest.mark.slow
async def test_an_idle_run_has_nothing_to_pause_or_redirect_and_a_pause_ends_with_its_turn(
    temporal: Client,
) -> None:
    model = Stubborn()
    fakes = talk(model.model, STOP, STOP)
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, Pause(command_id="p"), Cancel(command_id="c", scope="turn"))
        model.release()
        await shows(handle, RunStatus.IDLE)
        await send(handle, Pause(command_id="q"), Redirect(message="x", command_id="r"))
        await fakes.settled("q", "r")
        await send(handle, message("b"))
        await fakes.until("turn.completed", 2)
        await send(handle, Close())
        await handle.result()
    assert {fakes.refused("q"), fakes.refused("r")} == {"idle: no turn runs"}


@pytest.mark.slow
async def test_an_idle_run_costs_no_event_and_continues_as_new_when_its_history_is_long(
    temporal: Client,
) -> None:
    fakes = talk(*[STOP] * 8)
    fakes.history_bound = 40
    async with fakes.running(temporal) as handle:
        for number in range(7):
            await fakes.until("turn.completed", number + 1)
            await send(handle, message(f"m{number}"))
        await fakes.until("turn.completed", 8)
        await shows(handle, RunStatus.IDLE)
        before = await _events(temporal, handle.id)
        await asyncio.sleep(2)
        assert await _events(temporal, handle.id) == before
        newest = temporal.get_workflow_handle(handle.id)
        assert (await newest.describe()).run_id != handle.first_execution_run_id
        await newest.signal("close", Close())
        await newest.result()
    assert [number for number, _ in turns(fakes)] == [*range(1, 9)]
    assert [text for text, _, _ in said(fakes)] == ["hi", *(f"m{n}" for n in range(7))]


async def _events(temporal: Client, run_id: str) -> int:
    """Events in the history of the newest execution."""
    return (await temporal.get_workflow_handle(run_id).describe()).history_length


@pytest.mark.slow
async def test_too_many_messages_at_once_are_refused(temporal: Client) -> None:
    model = Stubborn()
    fakes = talk(model.model)
    many = [message(f"m{number}") for number in range(MAX_MESSAGES + 1)]
    async with fakes.running(temporal, first=many) as handle:
        await fakes.until("command.refused")
        assert fakes.refused(f"m{MAX_MESSAGES}").startswith("busy")
        await send(handle, Cancel())
        model.release()
        await handle.result()
    assert fakes.count("command.refused") == MAX_MESSAGES + 1
    assert fakes.refused("m0") == "run-ended"


@pytest.mark.slow
async def test_a_run_that_is_not_open_refuses_messages_and_is_not_interrupted(
    temporal: Client,
) -> None:
    model = Stubborn()
    fakes = Fakes([model.model])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, message("b", "redirect"), Close(command_id="c"))
        await fakes.settled("b", "c")
        model.release()
        assert (await handle.result()).steps == 1
    assert fakes.refused("b").startswith("not-open")
    assert fakes.refused("c").startswith("not-open")
    assert said(fakes) == [("hi", None, None)]
    assert not fakes.count("turn.completed")
