"""A step of a run needs no thread; a replay, and a run that may be in trouble, have one."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob

from relayline.runtime.activations import FRESH_EVENTS, MAX_BYTES, Activations

_OURS: ContextVar[str] = ContextVar("_OURS", default="")


@pytest.fixture
async def executor() -> AsyncIterator[Activations]:
    with Activations(2) as made:
        yield made


def activation(run_id: str, job: str = "fire_timer", **fields: object) -> WorkflowActivation:
    act = WorkflowActivation(run_id=run_id, history_length=FRESH_EVENTS, **fields)  # type: ignore[arg-type]
    named = WorkflowActivationJob()
    getattr(named, job).SetInParent()
    act.jobs.append(named)
    return act


async def is_inline(executor: Activations, act: WorkflowActivation) -> bool:
    """Whether the activation runs in the thread of this loop."""

    def activate(_: WorkflowActivation) -> int:
        return threading.get_ident()

    ran_in = await asyncio.get_running_loop().run_in_executor(executor, activate, act)
    return ran_in == threading.get_ident()


async def test_the_steps_of_a_run_that_begins_here_run_in_the_event_loop_until_it_is_evicted(
    executor: Activations,
) -> None:
    run = uuid.uuid4().hex
    assert await is_inline(executor, activation(run, "initialize_workflow"))
    later = activation(run, "resolve_activity")
    later.history_length = 20
    assert await is_inline(executor, later)
    assert await is_inline(executor, activation(run, "remove_from_cache"))
    assert not await is_inline(executor, later)


async def test_a_replay_and_a_run_that_began_elsewhere_have_threads(executor: Activations) -> None:
    replayed, taken_over, retried = (uuid.uuid4().hex for _ in range(3))
    replay = activation(replayed, "initialize_workflow", is_replaying=True)
    assert not await is_inline(executor, replay)
    assert not await is_inline(executor, activation(taken_over, "resolve_activity"))
    again = activation(retried, "initialize_workflow")
    again.history_length = FRESH_EVENTS + 3
    assert not await is_inline(executor, again)
    assert not await is_inline(executor, activation(retried, "resolve_activity"))


async def test_a_large_activation_has_a_thread(executor: Activations) -> None:
    run = uuid.uuid4().hex
    large = activation(run, "initialize_workflow")
    large.jobs[0].initialize_workflow.arguments.add().data = b"x" * MAX_BYTES
    assert not await is_inline(executor, large)
    assert await is_inline(executor, activation(run, "resolve_activity"))


async def test_a_step_leaves_the_loop_and_its_context_as_they_were(executor: Activations) -> None:
    """A workflow is an event loop of its own, as long as its step takes."""
    loop, seen = asyncio.get_running_loop(), list[str]()
    _OURS.set("the worker's")

    def activate(_: WorkflowActivation) -> None:
        asyncio._set_running_loop(None)  # noqa: SLF001  as the SDK does at the end of a step
        seen.append(_OURS.get())
        raise ValueError("the step fails")

    act = activation(uuid.uuid4().hex, "initialize_workflow")
    with pytest.raises(ValueError, match="the step fails"):
        await loop.run_in_executor(executor, activate, act)
    assert seen == [""]
    assert asyncio.get_running_loop() is loop
    assert _OURS.get() == "the worker's"
