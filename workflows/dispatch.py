"""Starts the activities of one run, each with its policy, summary and pending facts."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from pydantic import JsonValue
from temporalio import exceptions, workflow

with workflow.unsafe.imports_passed_through():
    from relayline.activities.model.call import ModelActivities
    from relayline.activities.record import RecordActivities
    from relayline.activities.tool.call import ToolActivities
    from relayline.catalog.models import model_queue
    from relayline.contracts.calls import (
        CheckRequest,
        CheckResult,
        ModelRequest,
        ModelResult,
        PlannedCall,
        RecordRequest,
        RewindRequest,
        ToolOutcome,
        ToolRequest,
    )
    from relayline.contracts.envelope import Outbox
    from relayline.contracts.errors import ErrorType
    from relayline.contracts.events import ChildEnded, RunWaiting
    from relayline.contracts.keys import (
        message_key,
        model_activity_id,
        result_key,
        tool_activity_id,
    )
    from relayline.contracts.mcp.planned import McpPlan
    from relayline.contracts.runs import RunError, RunInput, ToolSpec
    from relayline.workflows import policy
    from relayline.workflows.children.child import cancel_all
    from relayline.workflows.facts import Facts
    from relayline.workflows.outbox import PendingFacts
    from relayline.workflows.state import Asked
    from relayline.workflows.visibility import summary

_NAMES_CALLS = "names-calls"
"""Patch id: calls of runs that started before have a number as their activity's id."""
_WAIT = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED


class ModelStarted(NamedTuple):
    """A running model call, with the facts that it carries."""

    handle: workflow.ActivityHandle[ModelResult]
    cargo: Outbox


class ToolStarted(NamedTuple):
    """A running tool call, with the facts that it carries."""

    handle: asyncio.Task[ToolOutcome]
    """Of its activity, or of all that a run of another agent takes."""
    cargo: Outbox


class Dispatcher:
    """Starts the activities of one run."""

    def __init__(self, run_input: RunInput, facts: Facts, pending: PendingFacts) -> None:
        self._input = run_input
        self._facts = facts
        self._pending = pending
        self.agent_sha256 = ""
        """Digest of the run's agent if the journal has it; empty: model calls carry the agent."""
        self._wanted = False
        self._recorder: asyncio.Task[None] | None = None
        self._rewinding = False
        self._stopping = False
        """True while the workers must still be told of a stop."""

    def take_agent(self, run_input: RunInput, sha256: str) -> None:
        """Make all further calls with that input's agent, which the journal has by that digest."""
        self._input, self.agent_sha256 = run_input, sha256

    def stop(self, handle: asyncio.Task[Any]) -> None:
        """Cancel a call, and have its worker told: not every Temporal can push that to it."""
        handle.cancel()
        self._stopping = workflow.patched("tells-of-stops")

    def start_model(self, step: int, asked: Asked) -> ModelStarted:
        """Start a model call of that step."""
        own = self._input.agent.model
        self._pending.known.append(message_key(self._facts.epoch, step))
        cargo = self._pending.cargo()
        request = ModelRequest(
            run_id=self._input.run_id,
            epoch=self._facts.epoch,
            step=step,
            agent=None if self.agent_sha256 else self._input.agent,
            agent_sha256=self.agent_sha256,
            tenant=self._input.tenant,
            model=None if asked.model == own else asked.model,
            tried=asked.tried,
            spare=asked.spare,
            outbox=cargo,
        )
        handle = workflow.start_activity_method(
            ModelActivities.call_model,
            request,
            activity_id=_named(model_activity_id(self._facts.epoch, step, asked.tried)),
            task_queue=model_queue(asked.model),
            summary=summary(f"step {step}", "model" if asked.model == own else asked.model),
            start_to_close_timeout=policy.MODEL_TIMEOUT,
            heartbeat_timeout=policy.heartbeat_timeout(),
            retry_policy=policy.CALL_RETRY,
            cancellation_type=_WAIT,
        )
        return ModelStarted(handle, cargo)

    def start_tool(
        self, step: int, call: PlannedCall, epoch: int, approval_id: str | None, run: int
    ) -> ToolStarted:
        """Start one tool call; calls started together carry the same facts."""
        self._pending.known.append(result_key(epoch, call.call_id))
        tool = call.tool_of(self._input.agent)
        cargo = self._pending.cargo()
        request = ToolRequest(
            run_id=self._input.run_id,
            epoch=epoch,
            step=step,
            call=call,
            tool=None if call.mcp else tool,
            approval_id=approval_id,
            run=run,
            tenant=self._input.tenant,
            outbox=cargo,
        )
        handle = workflow.start_activity_method(
            ToolActivities.call_tool,
            request,
            activity_id=_named(tool_activity_id(epoch, call.call_id, run)),
            summary=summary("tool", f"{call.name}({call.preview})"),
            start_to_close_timeout=policy.tool_timeout(tool),
            heartbeat_timeout=policy.heartbeat_timeout(),
            retry_policy=policy.CALL_RETRY,
            cancellation_type=_WAIT,
        )
        return ToolStarted(handle, cargo)

    def start_check(
        self, tool: ToolSpec, arguments: dict[str, JsonValue], mcp: McpPlan | None = None
    ) -> workflow.ActivityHandle[CheckResult]:
        """Start the check of arguments that a person gave; `mcp` says where the schema is."""
        return workflow.start_activity_method(
            ToolActivities.check_arguments,
            CheckRequest(tool=tool, arguments=arguments, run_id=self._input.run_id, mcp=mcp),
            summary=f"check the arguments of {tool.name}",
            start_to_close_timeout=policy.RECORD_TIMEOUT,
            retry_policy=policy.RECORD_RETRY,
        )

    async def rewind(self, key: str, left: tuple[ChildEnded, ...] = ()) -> int:
        """Record that an operator has reset the run, and the runs left by it; the new epoch.

        Nothing else is recorded meanwhile: `run.rewound` would make void any fact appended between
        the read of the journal's end and itself, and nobody would write that fact again.
        """
        self._rewinding = workflow.patched("rewinds-alone")
        if self._rewinding and self._recorder:
            await workflow.wait_condition(self._recorder.done)
        try:
            result = await workflow.execute_activity_method(
                RecordActivities.rewind,
                RewindRequest(
                    run_id=self._input.run_id, known=tuple(self._pending.known), key=key, left=left
                ),
                summary="run.rewound",
                start_to_close_timeout=policy.RECORD_TIMEOUT,
                retry_policy=policy.RECORD_RETRY,
            )
        finally:
            self._rewinding = False
        await cancel_all(result.children)
        return result.epoch

    def record_soon(self) -> None:
        """Start to record the facts that no activity carries yet, and stops, without waiting.

        One such activity runs at a time; facts that arrive meanwhile go with the next one.
        """
        if self._rewinding or not (self._pending.fresh or self._stopping):
            return
        self._wanted = True
        if self._recorder is None or self._recorder.done():
            self._recorder = asyncio.create_task(self._record_wanted())

    async def _record_wanted(self) -> None:
        while self._stopping or ((self._wanted or self._pending.fresh) and not self._pending.empty):
            if self._rewinding:
                return
            self._wanted, epoch = False, self._facts.epoch
            try:
                await self.record("journal")
            except exceptions.ActivityError as error:
                if not had_ended(error):
                    raise
                self._pending.fresh = True  # the run is open again once the reset is recorded
                if epoch == self._facts.epoch:
                    return

    async def record(self, what: str) -> None:
        """Record the pending facts and wait until the journal has them, however long it takes.

        Args:
            what: For the Web UI, where the facts ask nothing of a person.

        Raises:
            ActivityError: the journal will never accept them, for example because the run has
                ended there.
        """
        cargo, stops = self._pending.cargo(), self._stopping
        self._stopping = False
        asked = _asked(cargo)
        await workflow.execute_activity_method(
            RecordActivities.record_facts,
            RecordRequest(
                run_id=self._input.run_id, epoch=self._facts.epoch, outbox=cargo, stops=stops
            ),
            summary=summary("waits for" if asked else what, asked),
            start_to_close_timeout=policy.RECORD_TIMEOUT,
            retry_policy=policy.RECORD_RETRY,
        )
        self._pending.delivered(cargo)


def _named(activity_id: str) -> str | None:
    """The id of a call's activity; None, for Temporal's own, in a run that started without."""
    return activity_id if workflow.patched(_NAMES_CALLS) else None


def _asked(cargo: Outbox) -> str:
    """What a person is asked by these facts, empty if nothing."""
    waits = [fact.body for fact in cargo.facts if isinstance(fact.body, RunWaiting)]
    items = waits[-1].waiting_for if waits else ()
    return " · ".join(f"{item.kind}: {item.what}" for item in items)


def is_stale(error: exceptions.ActivityError, *, was_reset: bool) -> bool:
    """True when the call was already running before an operator reset the run.

    In a run without a reset, `stale-attempt` never reaches the workflow, because Temporal has then
    given the call to another worker; nor does `run-ended`, because nothing runs after the end.

    Args:
        error: As raised by the activity's handle.
        was_reset: True while a reset is not yet recorded.
    """
    return _type(error) == ErrorType.STALE_ATTEMPT or (was_reset and had_ended(error))


def had_ended(error: exceptions.ActivityError) -> bool:
    """True when the journal refused because it has the run's terminal fact."""
    return _type(error) == ErrorType.RUN_ENDED


def is_gone(cause: BaseException | None) -> bool:
    """True if the call's worker is gone, by Temporal's time-out or because it stood still."""
    late = isinstance(cause, exceptions.ApplicationError) and cause.type == ErrorType.WORKER_LATE
    return late or isinstance(cause, exceptions.TimeoutError)


def is_unknown(cause: BaseException | None) -> bool:
    """True if nobody knows whether the call has run."""
    unknown = ErrorType.OUTCOME_UNKNOWN
    return isinstance(cause, exceptions.ApplicationError) and cause.type == unknown


def _type(error: exceptions.ActivityError) -> str | None:
    cause = error.cause
    return cause.type if isinstance(cause, exceptions.ApplicationError) else None


def error_of(error: exceptions.ActivityError, step: int, fallback: ErrorType) -> RunError:
    """The error of a failed call, for people.

    Args:
        error: As raised by the activity's handle.
        step: The step of the call.
        fallback: The type of a failure that has none, such as a timeout.
    """
    match error.cause:
        case exceptions.ApplicationError() as cause:
            return RunError(type=cause.type or fallback, message=cause.message, step=step)
        case exceptions.TimeoutError() as cause:
            kind = cause.type.name.lower() if cause.type else "timeout"
            return RunError(type=fallback, message=f"no answer in time ({kind})", step=step)
        case _:
            return RunError(type=fallback, message=str(error.cause or error), step=step)
