"""Models that are unavailable: the next one is asked, in the same step."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from relayline.contracts.calls import ModelRequest, ModelResult
from relayline.contracts.commands import Cancel, Close, SendMessage
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ModelFallback, StepStarted
from relayline.contracts.keys import step_scope
from relayline.contracts.runs import RunStatus
from tests.workflows.fakes import CALL, STOP, Fakes, Model, send

SPARE, LAST = "rehearsal:spare", "rehearsal:last"


class Models:
    """Models by name, of which some are unavailable at first; keeps what they are asked."""

    def __init__(self, *down: str, answer: ModelResult = STOP) -> None:
        self.down = {*down}
        self.answer = answer
        self.requests: list[ModelRequest] = []

    async def __call__(self, request: ModelRequest) -> ModelResult:
        self.requests.append(request)
        name = request.model or "rehearsal"
        if name in self.down:
            raise unavailable(f"{name} is busy", request.tried + 3)
        return self.answer

    @property
    def asked(self) -> list[str | None]:
        """The models, None for the agent's own."""
        return [request.model for request in self.requests]


def unavailable(why: str, *details: int) -> ApplicationError:
    return ApplicationError(why, *details, type=ErrorType.MODEL_UNAVAILABLE, non_retryable=True)


def spared(*models: Model | ModelResult) -> Fakes:
    fakes = Fakes(models)
    fakes.fallbacks = (SPARE, LAST)
    return fakes


def told(fakes: Fakes) -> list[tuple[str, str, str]]:
    bodies = fakes.bodies("model.fallback")
    return [(it.from_, it.to, it.reason) for it in bodies if isinstance(it, ModelFallback)]


def steps(fakes: Fakes) -> list[str]:
    return [it.model for it in fakes.bodies("step.started") if isinstance(it, StepStarted)]


async def test_the_next_model_answers_in_the_same_step_and_in_those_after_it(
    temporal: Client,
) -> None:
    first, second = Models("rehearsal", answer=CALL), Models("rehearsal")
    fakes = spared(first, second)
    async with fakes.running(temporal) as handle:
        result = await handle.result()
    assert (result.status, result.steps) == (RunStatus.COMPLETED, 2)
    assert [(it.model, it.tried, it.spare) for it in first.requests] == [
        (None, 0, True),
        (SPARE, 3, True),
    ]
    assert [(it.model, it.tried, it.spare) for it in second.requests] == [(SPARE, 0, True)]
    assert told(fakes) == [("rehearsal", SPARE, "rehearsal is busy")]
    assert steps(fakes) == ["rehearsal", SPARE]
    fact = fakes.fact("model.fallback")
    assert (fact.step, fact.attempt) == (1, 3)
    assert fakes.seals == {step_scope(0, 1)}


async def test_each_model_is_asked_once_in_a_step_and_then_the_run_fails(temporal: Client) -> None:
    models = Models("rehearsal", SPARE, LAST)
    fakes = spared(models)
    async with fakes.running(temporal) as handle:
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    cause = raised.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message) == (ErrorType.MODEL_UNAVAILABLE, f"{LAST} is busy")
    assert [(it.model, it.tried, it.spare) for it in models.requests] == [
        (None, 0, True),
        (SPARE, 3, True),
        (LAST, 6, False),
    ]
    assert [(it[0], it[1]) for it in told(fakes)] == [("rehearsal", SPARE), (SPARE, LAST)]
    assert fakes.types[-1] == "run.failed"


async def test_a_model_that_refuses_is_followed_by_no_other(temporal: Client) -> None:
    async def refuses(_: ModelRequest) -> ModelResult:
        raise ApplicationError("no such key", type=ErrorType.MODEL_REFUSED, non_retryable=True)

    fakes = spared(refuses)
    async with fakes.running(temporal) as handle:
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert told(fakes) == []


async def test_a_spare_that_fails_in_a_later_step_is_followed_by_the_own_model_again(
    temporal: Client,
) -> None:
    second = Models(SPARE, LAST)
    fakes = spared(Models("rehearsal", answer=CALL), second)
    async with fakes.running(temporal) as handle:
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert second.asked == [SPARE, LAST, None]


async def test_a_turn_begins_with_the_own_model(temporal: Client) -> None:
    first, second = Models("rehearsal"), Models()
    fakes = spared(first, second)
    fakes.idle_s = 3600
    async with fakes.running(temporal) as handle:
        await fakes.until("turn.completed")
        await send(handle, SendMessage(content="and?", command_id="b"))
        await fakes.until("turn.completed", 2)
        await send(handle, Close(command_id="end"))
        await handle.result()
    assert (first.asked, second.asked) == ([None, SPARE], [None])


async def test_a_run_that_continues_as_new_stays_with_the_spare(temporal: Client) -> None:
    second = Models("rehearsal")
    fakes = spared(Models("rehearsal", answer=CALL), second)
    fakes.history_bound = 5
    async with fakes.running(temporal) as handle:
        await handle.result()
    assert second.asked == [SPARE]


async def test_a_worker_that_tells_no_attempts_leaves_room_for_them(temporal: Client) -> None:
    requests: list[ModelRequest] = []

    async def old(request: ModelRequest) -> ModelResult:
        requests.append(request)
        if request.model != LAST:
            raise unavailable("busy")
        return STOP

    async with spared(old).running(temporal) as handle:
        await handle.result()
    assert [it.tried for it in requests] == [0, 1000, 2000]


async def test_a_cancel_while_the_spare_speaks_closes_its_call(temporal: Client) -> None:
    speaks = asyncio.Event()

    async def model(request: ModelRequest) -> ModelResult:
        if request.model is None:
            raise unavailable("busy", 3)
        speaks.set()
        await asyncio.sleep(60)
        raise AssertionError("nobody cancelled it")

    fakes = spared(model)
    async with fakes.running(temporal) as handle:
        await speaks.wait()
        await send(handle, Cancel(command_id="c"))
        assert (await handle.result()).status is RunStatus.CANCELLED
    assert fakes.count("message.interrupted") == 1
    assert fakes.seals == {step_scope(0, 1), step_scope(0, 1, 3)}


async def test_the_spare_is_called_on_the_queue_of_its_provider(temporal: Client) -> None:
    fakes = Fakes([Models("rehearsal")])
    fakes.fallbacks = ("compatible:spare",)
    async with fakes.running(temporal) as handle:
        await fakes_scheduled(handle, "models-compatible")
        await send(handle, Cancel(command_id="c"))
        assert (await handle.result()).status is RunStatus.CANCELLED


async def fakes_scheduled(handle: WorkflowHandle[Any, Any], queue: str) -> None:
    """Wait until a model call is scheduled on that queue."""
    async with asyncio.timeout(30):
        while True:
            history = await handle.fetch_history()
            queues = [
                event.activity_task_scheduled_event_attributes.task_queue.name
                for event in history.events
            ]
            if queue in queues:
                return
            await asyncio.sleep(0.05)
