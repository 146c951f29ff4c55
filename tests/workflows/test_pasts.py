"""Runs that begin with a past: it comes first, and the run's own part is counted from there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from relayline.contracts.calls import ModelRequest, ModelResult, PastRequest, PlannedCall
from relayline.contracts.commands import Cancel, Redirect
from relayline.contracts.events import StepStarted
from relayline.contracts.runs import Limits, Past, RunStatus
from tests.workflows.fakes import STOP, Fakes, Model, send

GONE = 404
SOURCE = "run_0123456789abcdef"


class Forked(Fakes):
    """A run with a past, which is recorded once it may; one up to `GONE` can't be."""

    def __init__(self, past: Past, *own: Model | ModelResult) -> None:
        super().__init__([*[never] * (past.step - 1), *own])
        self.past = past
        self.pasts: list[PastRequest] = []
        """Those that were recorded."""

    @activity.defn(name="record_past")
    async def record_past(self, request: PastRequest) -> None:
        """Take the facts around the past."""
        self.pasts.append(request)
        if request.past.seq == GONE:
            raise ApplicationError("it is gone", type="journal-incomplete", non_retryable=True)
        await self.recording.wait()
        self.take(request.outbox)

    def activities(self) -> list[Callable[..., Any]]:
        """Also the one for the past."""
        return [*super().activities(), self.record_past]


async def never(_: ModelRequest) -> ModelResult:
    """A step of the past, which nobody does again."""
    raise AssertionError("that is done")


def asks(step: int) -> ModelResult:
    call = PlannedCall(call_id=f"call_{step}_0", name="work")
    return ModelResult(finish_reason="tool_calls", calls=(call,))


async def test_the_first_step_is_the_one_after_the_past_and_limits_count_from_it(
    temporal: Client,
) -> None:
    fakes = Forked(Past(run_id=SOURCE, seq=9, step=5, asks=False), asks(5), STOP)
    async with fakes.running(temporal, Limits(max_steps=2)) as handle:
        result = await handle.result()
    assert (result.status, result.steps) == (RunStatus.COMPLETED, 6)
    assert [fact.step for fact in fakes.facts if isinstance(fact.body, StepStarted)] == [5, 6]
    [asked] = fakes.pasts
    assert [fact.body.type for fact in asked.outbox.facts] == ["run.queued", "run.started"]
    assert (asked.past.seq, asked.tenant) == (9, "default")
    assert "message.user" not in fakes.types


async def test_one_step_too_many_is_refused(temporal: Client) -> None:
    fakes = Forked(Past(run_id=SOURCE, step=3), asks(3), STOP)
    async with fakes.running(temporal, Limits(max_steps=1)) as handle:
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert fakes.types[-1] == "run.failed"
    assert fakes.count("message.user") == 1


async def test_it_ends_after_so_many_answers_whatever_they_ask_for(temporal: Client) -> None:
    fakes = Forked(Past(run_id=SOURCE, step=3, steps=2), asks(3), asks(4))
    async with fakes.running(temporal) as handle:
        result = await handle.result()
    assert (result.status, result.steps) == (RunStatus.COMPLETED, 4)
    assert [request.call.call_id for request in fakes.requests] == ["call_3_0"]


async def test_commands_wait_until_the_past_is_there(temporal: Client) -> None:
    fakes = Forked(Past(run_id=SOURCE, step=3), STOP, STOP)
    fakes.recording.clear()
    first = Redirect(message="go left", command_id="m")
    async with fakes.running(temporal, first=[first]) as handle:
        while not fakes.pasts:
            await asyncio.sleep(0.02)
        await send(handle, Redirect(message="go right", command_id="n"))
        assert fakes.facts == []
        fakes.recording.set()
        await handle.result()
    assert fakes.types[:3] == ["run.queued", "run.started", "message.user"]
    assert fakes.applied("m")
    assert fakes.applied("n")


async def test_a_run_whose_past_is_gone_fails_and_says_why(temporal: Client) -> None:
    fakes = Forked(Past(run_id=SOURCE, seq=GONE, step=3), STOP)
    async with fakes.running(temporal) as handle:
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert fakes.types == ["run.queued", "run.started", "message.user", "run.failed"]


async def test_a_run_can_be_cancelled_before_it_has_its_past(temporal: Client) -> None:
    fakes = Forked(Past(run_id=SOURCE, step=3), STOP)
    async with fakes.running(temporal, first=[Cancel(command_id="c")]) as handle:
        assert (await handle.result()).status is RunStatus.CANCELLED
    assert fakes.types[-1] == "run.cancelled"


@pytest.mark.slow
async def test_a_long_fork_continues_as_new_without_its_past(temporal: Client) -> None:
    fakes = Forked(Past(run_id=SOURCE, step=3), asks(3), asks(4), asks(5), STOP)
    fakes.history_bound = 25
    async with fakes.running(temporal, Limits(max_steps=4)) as handle:
        assert (await handle.result()).steps == 6
    assert len(fakes.pasts) == 1
