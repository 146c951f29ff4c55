"""Activities that do as a test says, under the names of the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.attempt import heartbeats
from contracts.commands import Cancel
from contracts.envelope import NewEvent, Outbox
from contracts.runs import AgentSpec, Limits, RunInput, RunResult, ToolSpec
from contracts.steps import (
    ModelRequest,
    ModelResult,
    PlannedCall,
    RecordRequest,
    ToolOutcome,
    ToolRequest,
)
from workflows.agent_run import AgentRun

Model = Callable[[ModelRequest], Awaitable[ModelResult]]
Tool = Callable[[ToolRequest], Awaitable[ToolOutcome]]
STOP = ModelResult(finish_reason="stop", preview="done")
CALL = ModelResult(
    finish_reason="tool_calls", calls=(PlannedCall(call_id="call_1_0", name="work"),)
)


async def completes(request: ToolRequest) -> ToolOutcome:
    """A tool that returns at once."""
    return ToolOutcome(call_id=request.call.call_id)


async def hangs(_: object) -> ModelResult:
    """A call that runs until it is cancelled."""
    await asyncio.sleep(60)
    raise AssertionError("nobody cancelled it")


class Stubborn:
    """A call that does not stop when it is cancelled, but when it is released."""

    def __init__(self) -> None:
        self._release = asyncio.Event()

    def release(self) -> None:
        """Let it return."""
        self._release.set()

    async def model(self, _: ModelRequest) -> ModelResult:
        """As a model."""
        await self._hang()
        return STOP

    async def tool(self, request: ToolRequest) -> ToolOutcome:
        """As a tool."""
        await self._hang()
        return ToolOutcome(call_id=request.call.call_id)

    async def _hang(self) -> None:
        while not self._release.is_set():
            with suppress(asyncio.CancelledError):
                await self._release.wait()


class Fakes:
    """The three activities; `facts` are those that the workflow sent, each once, in order."""

    def __init__(self, models: Sequence[Model | ModelResult], tool: Tool = completes) -> None:
        self._models = models
        self._tool = tool
        self._facts: dict[str, NewEvent] = {}
        self.seals: set[str] = set()
        self.begun = asyncio.Event()
        """Set when the newest model or tool call has begun."""

    @property
    def types(self) -> list[str]:
        """The types of the facts."""
        return [fact.body.type for fact in self._facts.values()]

    def fact(self, kind: str) -> NewEvent:
        """The last fact of that type."""
        return [fact for fact in self._facts.values() if fact.body.type == kind][-1]

    @activity.defn(name="call_model")
    async def call_model(self, request: ModelRequest) -> ModelResult:
        """The model of that step."""
        self._take(request.outbox)
        self.begun.set()
        model = self._models[request.step - 1]
        async with heartbeats():
            return model if isinstance(model, ModelResult) else await model(request)

    @activity.defn(name="call_tool")
    async def call_tool(self, request: ToolRequest) -> ToolOutcome:
        """The one tool."""
        self._take(request.outbox)
        self.begun.set()
        async with heartbeats():
            return await self._tool(request)

    @activity.defn(name="record_facts")
    async def record_facts(self, request: RecordRequest) -> None:
        """Take the facts."""
        self._take(request.outbox)

    def _take(self, outbox: Outbox) -> None:
        for fact in outbox.facts:
            self._facts.setdefault(fact.key or "", fact)
        self.seals |= set(outbox.seals)

    @asynccontextmanager
    async def running(
        self, temporal: Client, limits: Limits | None = None, *, first: Sequence[Cancel] = ()
    ) -> AsyncIterator[WorkflowHandle[AgentRun, RunResult]]:
        """A run on these activities, on a task queue of its own; `first` come before any worker."""
        run_id = f"run_{uuid4().hex}"
        worker = Worker(
            temporal,
            task_queue=run_id,
            workflows=[AgentRun],
            activities=[self.call_model, self.call_tool, self.record_facts],
            workflow_failure_exception_types=[workflow.NondeterminismError],
        )
        agent = AgentSpec(
            name="tested",
            model="rehearsal",
            tools=(ToolSpec(name="work"),),
            limits=limits or Limits(),
        )
        handle = await temporal.start_workflow(
            AgentRun.run,
            RunInput(run_id=run_id, agent=agent, input="hi"),
            id=run_id,
            task_queue=run_id,
        )
        for command in first:
            await handle.signal(AgentRun.cancel, command)
        async with worker:
            yield handle
