"""Activities that do as a test says, under the names of the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from relayline.activities.presence import heartbeats
from relayline.contracts.calls import (
    CheckRequest,
    CheckResult,
    ModelRequest,
    ModelResult,
    PlannedCall,
    RecordRequest,
    RewindRequest,
    RewindResult,
    ToolOutcome,
    ToolRequest,
)
from relayline.contracts.commands import AnyCommand
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.events import CommandApplied, CommandRefused, EventBody
from relayline.contracts.runs import (
    AgentSpec,
    Limits,
    Past,
    Phase,
    RunInput,
    RunProgress,
    RunResult,
    RunStatus,
    ToolSpec,
)
from relayline.workflows.agent_run import AgentRun

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

    past: Past | None = None
    """What the run begins with."""
    fallbacks: tuple[str, ...] = ()
    """The models that the agent falls back to."""

    def __init__(self, models: Sequence[Model | ModelResult], tool: Tool = completes) -> None:
        self._models = models
        self._tool = tool
        self._facts: dict[str, NewEvent] = {}
        self.seals: set[str] = set()
        self.tools: tuple[ToolSpec, ...] = (ToolSpec(name="work"),)
        """Of the agent that runs."""
        self.begun = asyncio.Event()
        """Set when the newest model or tool call has begun."""
        self.recording = asyncio.Event()
        """Set while `record_facts` may return; it is so from the start."""
        self.recording.set()
        self.history_bound = 8000
        """Events after which the run goes on in a new execution."""
        self.rewinds: list[RewindRequest] = []
        """The resets that were recorded."""
        self.idle_s: float | None = None
        """Of an open run; None: it is none."""
        self.silent = False
        """True: tool calls send no heartbeats."""
        self.tenant = "default"
        """Whose run it is."""
        self.tenants: set[str] = set()
        """Those that the calls have named."""
        self.requests: list[ToolRequest] = []
        """The tool calls that have begun."""
        self.checks: list[CheckRequest] = []
        """The checks of a person's arguments."""
        self.changed: list[str] = []
        """Keys of facts that came once more and said something else then."""

    @property
    def facts(self) -> list[NewEvent]:
        """The facts, in order."""
        return list(self._facts.values())

    @property
    def types(self) -> list[str]:
        """The types of the facts."""
        return [fact.body.type for fact in self._facts.values()]

    def fact(self, kind: str) -> NewEvent:
        """The last fact of that type."""
        return [fact for fact in self._facts.values() if fact.body.type == kind][-1]

    def bodies(self, kind: str) -> list[EventBody]:
        """The bodies of the facts of that type."""
        return [fact.body for fact in self._facts.values() if fact.body.type == kind]

    def count(self, kind: str) -> int:
        """How many facts of that type there are."""
        return self.types.count(kind)

    def between(self, first: str, last: str) -> list[str]:
        """The types from the last `first` on, to the next `last`."""
        types = self.types[len(self.types) - 1 - self.types[::-1].index(first) :]
        return types[: types.index(last) + 1]

    def outcome(self, command_id: str) -> EventBody | None:
        """What the command came to, None while there is nothing."""
        fact = self._facts.get(f"command/{command_id}/outcome")
        return fact.body if fact else None

    def applied(self, command_id: str) -> str:
        """What the command did; it was applied."""
        body = self.outcome(command_id)
        assert isinstance(body, CommandApplied), body
        return body.applied

    def refused(self, command_id: str) -> str:
        """Why the command was refused; it was."""
        body = self.outcome(command_id)
        assert isinstance(body, CommandRefused), body
        return body.reason

    async def until(self, kind: str, times: int = 1) -> None:
        """Wait until there are that many facts of that type."""
        while self.count(kind) < times:
            await asyncio.sleep(0.01)

    async def settled(self, *command_ids: str) -> None:
        """Wait until these commands have their outcomes."""
        while not all(map(self.outcome, command_ids)):
            await asyncio.sleep(0.01)

    @activity.defn(name="call_model")
    async def call_model(self, request: ModelRequest) -> ModelResult:
        """The model of that step."""
        self.take(request.outbox)
        self.tenants.add(request.tenant)
        self.begun.set()
        model = self._models[request.step - 1]
        async with heartbeats():
            return model if isinstance(model, ModelResult) else await model(request)

    @activity.defn(name="call_tool")
    async def call_tool(self, request: ToolRequest) -> ToolOutcome:
        """The one tool."""
        self.take(request.outbox)
        self.requests.append(request)
        self.tenants.add(request.tenant)
        self.begun.set()
        async with nullcontext() if self.silent else heartbeats():
            return await self._tool(request)

    @activity.defn(name="check_arguments")
    async def check_arguments(self, request: CheckRequest) -> CheckResult:
        """Arguments with a field `bad` do not fit; `slow` takes a while, `broken` breaks."""
        self.checks.append(request)
        if "slow" in request.arguments:
            await asyncio.sleep(1.5)
        if "broken" in request.arguments:
            raise ApplicationError("broken check", non_retryable=True)
        return CheckResult(problem="bad: does not fit" if "bad" in request.arguments else None)

    @activity.defn(name="rewind")
    async def rewind(self, request: RewindRequest) -> RewindResult:
        """Each reset is an epoch."""
        self.rewinds.append(request)
        return RewindResult(epoch=len(self.rewinds))

    @activity.defn(name="record_facts")
    async def record_facts(self, request: RecordRequest) -> None:
        """Take the facts."""
        self.take(request.outbox)
        await self.recording.wait()

    def activities(self) -> list[Callable[..., Any]]:
        """All of them."""
        calls = (self.call_model, self.call_tool, self.check_arguments)
        return [*calls, self.record_facts, self.rewind]

    def take(self, outbox: Outbox) -> None:
        """Take the facts."""
        for fact in outbox.facts:
            if self._facts.setdefault(fact.key or "", fact) != fact:
                self.changed.append(fact.key or "")
        self.seals |= set(outbox.seals)

    @asynccontextmanager
    async def running(
        self, temporal: Client, limits: Limits | None = None, *, first: Sequence[AnyCommand] = ()
    ) -> AsyncIterator[WorkflowHandle[AgentRun, RunResult]]:
        """A run on these activities, on a task queue of its own; `first` come before any worker."""
        run_id = f"run_{uuid4().hex}"
        worker = Worker(
            temporal,
            task_queue=run_id,
            workflows=[AgentRun],
            activities=self.activities(),
            workflow_failure_exception_types=[workflow.NondeterminismError],
        )
        agent = AgentSpec(
            name="tested",
            model="rehearsal",
            tools=self.tools,
            fallbacks=self.fallbacks,
            limits=limits or Limits(),
        )
        handle = await temporal.start_workflow(
            AgentRun.run,
            RunInput(
                run_id=run_id,
                agent=agent,
                input="hi",
                tenant=self.tenant,
                history_bound=self.history_bound,
                idle_s=self.idle_s,
                past=self.past,
            ),
            id=run_id,
            task_queue=run_id,
        )
        await send(handle, *first)
        async with worker:
            yield handle
        self._check()

    def _check(self) -> None:
        """Each command that was accepted has an outcome; what was asked for is closed."""
        assert not self.changed
        for id_, type_ in ((fact.key or "", fact.body.type) for fact in self._facts.values()):
            if type_ == "command.accepted":
                assert id_.replace("/accepted", "/outcome") in self._facts
            elif type_ in {"approval.requested", "input.requested"}:
                assert f"{id_}/end" in self._facts


async def send(handle: WorkflowHandle[AgentRun, RunResult], *commands: AnyCommand) -> None:
    """Send the commands as signals, one after the other."""
    for command in commands:
        await handle.signal(command.kind.value, command)


async def shows(
    handle: WorkflowHandle[AgentRun, RunResult], status: RunStatus, phase: Phase | None = None
) -> RunProgress:
    """Where the run stands, as soon as that is so."""
    while True:
        progress = await handle.query(AgentRun.progress)
        if progress.status is status and phase in {None, progress.phase}:
            return progress
        await asyncio.sleep(0.02)
