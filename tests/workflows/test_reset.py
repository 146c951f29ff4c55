"""Runs that Temporal had ended and an operator resets, with something under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError

from relayline.contracts.calls import (
    ModelRequest,
    ModelResult,
    PlannedCall,
    RecordRequest,
    RewindRequest,
    RewindResult,
    ToolOutcome,
    ToolRequest,
)
from relayline.contracts.commands import Answer, AnyCommand, Pause, Redirect, Resume
from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import Limits, RunResult, RunStatus, ToolSpec
from relayline.workflows.agent_run import AgentRun
from tests.resetting import at_rest, reset_to
from tests.workflows.fakes import CALL, STOP, Fakes, hangs, send, shows

TWO = ModelResult(
    finish_reason="tool_calls",
    calls=tuple(PlannedCall(call_id=f"call_1_{n}", name="work") for n in range(2)),
)
NUDGE = Resume(command_id="nudge")
"""Refused the first time; the same again is one more workflow task and nothing else."""
BOUND_S = 20
pytestmark = pytest.mark.filterwarnings("ignore:Cannot find activity to cancel")
"""What Temporal stops because its run was ended may have returned in the same moment."""
Handle = WorkflowHandle[AgentRun, RunResult]


def ended(kind: ErrorType = ErrorType.RUN_ENDED) -> ApplicationError:
    """What calls and records are told that come after the run's end."""
    return ApplicationError("over", type=kind, non_retryable=True)


class Ended(Fakes):
    """Once the run was ended, nothing is taken until its reset is recorded."""

    ended = False
    said = ErrorType.RUN_ENDED
    """What tool calls are told meanwhile."""
    client: Client

    @activity.defn(name="call_model")
    async def call_model(self, request: ModelRequest) -> ModelResult:
        """As in `Fakes`."""
        if self.ended:
            raise ended()
        return await super().call_model(request)

    @activity.defn(name="call_tool")
    async def call_tool(self, request: ToolRequest) -> ToolOutcome:
        """As in `Fakes`."""
        if self.ended:
            raise ended(self.said)
        return await super().call_tool(request)

    @activity.defn(name="record_facts")
    async def record_facts(self, request: RecordRequest) -> None:
        """As in `Fakes`; what is refused may come late, too."""
        if self.ended:
            await self.recording.wait()
            raise ended()
        await super().record_facts(request)

    @activity.defn(name="rewind")
    async def rewind(self, request: RewindRequest) -> RewindResult:
        """As in `Fakes`; the run is open again."""
        self.ended = False
        return await super().rewind(request)

    @asynccontextmanager
    async def running(
        self, temporal: Client, limits: Limits | None = None, *, first: Sequence[AnyCommand] = ()
    ) -> AsyncIterator[Handle]:
        """As in `Fakes`, within a bound: a run that hangs fails its own test only."""
        self.client = temporal
        async with super().running(temporal, limits, first=first) as handle:
            async with asyncio.timeout(BOUND_S):
                yield handle

    async def temporal(self) -> Client:
        """As a `Stack` has it."""
        return self.client


async def reset(fakes: Ended, handle: Handle, *, terminated: bool = True) -> Handle:
    """Reset the run to its last task, with all that is under way; the run as it goes on then."""
    task = await at_rest(fakes, handle.id)
    if terminated:
        await handle.terminate()
        fakes.ended = True
    await reset_to(fakes, handle.id, task, signals=False)
    return fakes.client.get_workflow_handle_for(AgentRun.run, handle.id)


async def works_on(_: ToolRequest) -> ToolOutcome:
    """A call that runs until it is cancelled."""
    await asyncio.sleep(60)
    raise AssertionError("nobody cancelled it")


async def second_hangs(request: ToolRequest) -> ToolOutcome:
    """The second call hangs unless the run was reset."""
    if request.call.call_id == "call_1_1" and request.epoch == 0:
        await asyncio.sleep(60)
    return ToolOutcome(call_id=request.call.call_id)


@pytest.mark.slow
async def test_a_safe_tool_that_was_under_way_when_the_run_ended_runs_anew_after_the_reset(
    temporal: Client,
) -> None:
    fakes = Ended([TWO, STOP], second_hangs)
    async with fakes.running(temporal) as handle:
        again = await reset(fakes, handle)
        assert (await again.result()).status is RunStatus.COMPLETED
    last = fakes.requests[-1]
    assert (last.call.call_id, last.epoch, last.run) == ("call_1_1", 1, 1)
    assert [request.call.call_id for request in fakes.requests] == [
        "call_1_0",
        "call_1_1",
        "call_1_1",
    ]
    assert len(fakes.rewinds) == 1
    assert "tool.failed" not in fakes.types


@pytest.mark.parametrize("said", [ErrorType.RUN_ENDED, ErrorType.OUTCOME_UNKNOWN])
async def test_a_person_is_asked_once_about_an_unsafe_tool_when_the_reset_is_recorded(
    temporal: Client, said: ErrorType
) -> None:
    fakes = Ended([TWO, STOP], second_hangs)
    fakes.tools = (ToolSpec(name="work", effects="unsafe"),)
    fakes.said = said
    async with fakes.running(temporal) as handle:
        again = await reset(fakes, handle)
        await shows(again, RunStatus.WAITING)
        await send(again, Answer(command_id="a", request_id="outcome_e1_1_1_1", text="run it"))
        assert (await again.result()).status is RunStatus.COMPLETED
    assert fakes.count("input.requested") == 1
    assert len(fakes.requests) == 3


async def test_a_model_call_that_was_under_way_when_the_run_ended_is_cut(temporal: Client) -> None:
    fakes = Ended([CALL, hangs, STOP])
    async with fakes.running(temporal, first=[NUDGE]) as handle:
        await fakes.until("step.started", 2)
        await send(handle, NUDGE)
        again = await reset(fakes, handle)
        result = await again.result()
    assert (result.status, result.steps) == (RunStatus.COMPLETED, 3)
    assert fakes.fact("message.interrupted").step == 2
    assert len(fakes.rewinds) == 1


async def test_a_reset_is_recorded_after_what_was_on_its_way_which_comes_then_if_it_was_refused(
    temporal: Client,
) -> None:
    fakes = Ended([STOP])
    async with fakes.running(temporal, first=[NUDGE, Pause(command_id="p")]) as handle:
        await fakes.settled("p")
        await at_rest(fakes, handle.id)
        fakes.recording.clear()
        await send(handle, Pause(command_id="p2"))
        await fakes.settled("p2")
        await send(handle, NUDGE)
        again = await reset(fakes, handle)
        for _ in range(5):  # Temporal tells of it with a later task, if a signal caused this
            await send(again, NUDGE)
            await asyncio.sleep(0.2)
        assert not fakes.rewinds, "what is on its way might be void then, and told by nobody"
        fakes.recording.set()  # only now it is refused
        while not fakes.rewinds:
            await send(again, NUDGE)
            await asyncio.sleep(0.05)
        await fakes.until("run.paused", 2)
        await send(again, Resume(command_id="r"))
        assert (await again.result()).status is RunStatus.COMPLETED


async def test_what_a_command_says_that_the_run_is_given_once_more_is_told_in_the_new_epoch(
    temporal: Client,
) -> None:
    """Told before, it would count as known before the reset, and so would what it did."""
    fakes = Ended([CALL, STOP], works_on)
    async with fakes.running(temporal) as handle:
        while not fakes.requests:
            await asyncio.sleep(0.01)
        tasks = [
            event.event_id
            for event in (await handle.fetch_history()).events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        ]
        fakes.recording.clear()
        await send(handle, Redirect(command_id="r", message="elsewhere"))
        await reset_to(fakes, handle.id, tasks[-1])
        again: Handle = fakes.client.get_workflow_handle_for(AgentRun.run, handle.id)
        await asyncio.sleep(1)
        fakes.recording.set()
        assert (await again.result()).status is RunStatus.COMPLETED
    [rewind] = fakes.rewinds
    assert "0/command/r/message" not in rewind.known
    told = [fact.key for fact in fakes.facts if fact.body.type == "message.user"]
    assert told[-1] == "1/command/r/message"


@pytest.mark.slow
@pytest.mark.parametrize("terminated", [True, False])
async def test_a_run_that_was_about_to_go_on_in_a_new_execution_records_the_reset_first(
    temporal: Client, *, terminated: bool
) -> None:
    fakes = Ended([STOP])
    fakes.history_bound = 8
    fakes.recording.clear()
    long: list[AnyCommand] = [NUDGE, Pause(command_id="p"), *[NUDGE] * 6]
    async with fakes.running(temporal, first=long) as handle:
        await shows(handle, RunStatus.PAUSED)
        await send(handle, NUDGE)
        again = await reset(fakes, handle, terminated=terminated)
        fakes.recording.set()
        while not fakes.rewinds:
            await asyncio.sleep(0.01)
        await send(again, Resume(command_id="r"))
        assert (await again.result()).status is RunStatus.COMPLETED
    assert len(fakes.rewinds) == 1


async def test_a_run_that_was_ended_while_it_told_its_own_end_tells_it_anew_after_a_reset(
    temporal: Client,
) -> None:
    begun = asyncio.Event()

    async def model(_: ModelRequest) -> ModelResult:
        await begun.wait()
        return STOP

    fakes = Ended([model])
    async with fakes.running(temporal, first=[NUDGE]) as handle:
        await fakes.settled("nudge")
        fakes.recording.clear()
        begun.set()
        await fakes.until("run.completed")
        await send(handle, NUDGE)
        again = await reset(fakes, handle)
        fakes.recording.set()
        assert (await again.result()).status is RunStatus.COMPLETED
    assert len(fakes.rewinds) == 1
    ends = [fact.key for fact in fakes.facts if fact.body.type == "run.completed"]
    assert ends == ["0/run/ended", "1/run/ended"]
