"""The activity `call_tool`: look up, check, claim, run and record."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NoReturn, TypeVar

from pydantic import JsonValue
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from relayline.activities.attempt import (
    Attempt,
    backoff_s,
    cancelled_by_run,
    heartbeats,
    uninterrupted,
)
from relayline.activities.suspects import Called, Suspects
from relayline.activities.threads import in_thread
from relayline.activities.tool.context import RunningTool, ToolThreads
from relayline.activities.tool.ended import failed, recorded_outcome
from relayline.activities.tool.output import BadArguments, Output, ToolFailure, checked_arguments
from relayline.activities.tool.work import ToolWork
from relayline.catalog.schema import needs_approval
from relayline.catalog.tools import Tool
from relayline.contracts.calls import CheckRequest, CheckResult, ToolOutcome, ToolRequest, preview
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    ApprovalResolved,
    EventBody,
    MessageCompleted,
    ToolAbandoned,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    ToolStarted,
)
from relayline.contracts.keys import call_scope, claim_key, failure_key, resolved_key, result_key
from relayline.contracts.messages import ToolCall
from relayline.journal.port import Journal

T = TypeVar("T")

STOP_BOUND_S = 10.0
"""How long a cancelled tool may take to stop; less than the workflow's `CANCEL_BOUND`."""
TIMEOUT_GRACE_S = 2.0
"""How long a tool may take to stop after its time-out."""
RECORD_FOR_S = 10.0
"""How long to retry recording the result of a finished tool."""
_RECORD_PAUSE_S = 0.5


class ToolActivities:
    """The activities `call_tool` and `check_arguments`."""

    def __init__(
        self,
        journal: Journal,
        tools: Mapping[str, Tool],
        suspects: Suspects | None = None,
        *,
        stop_bound_s: float = STOP_BOUND_S,
    ) -> None:
        self._journal = journal
        self._tools = tools
        self._suspects = suspects or Suspects()
        self._threads = ToolThreads()
        self._stop_bound_s = stop_bound_s

    @activity.defn
    async def call_tool(self, request: ToolRequest) -> ToolOutcome:
        """Run one tool call and journal its end, once.

        A call that has ended is answered from the journal and never runs again. If the run cancels
        the call, the tool is cancelled and the journal says whether it stopped. If the call ends
        for another reason (the worker shuts down), the journal gets no end and the next attempt
        runs the tool.

        Raises:
            ApplicationError: the tool failed; non-retryable when its retries are used up or a
                retry can't help. Errors of the journal do not count as failures. `worker-lost`,
                final: the workers of earlier attempts have died; `suspect-waits`: see `Suspects`.
                `outcome-unknown`: another attempt has started an unsafe tool; the journal gets no
                end, and a person must say whether it ran.
            CancelledError: the run or the worker cancelled the call.
        """
        async with heartbeats():
            scope = call_scope(request.epoch, request.call.call_id, request.run)
            attempt = Attempt(self._journal, request.run_id, request.epoch, scope)
            key = result_key(request.epoch, request.call.call_id)
            call = _Call(attempt, request, self._threads, self._stop_bound_s)
            opened = self._suspects.begun(attempt, call.called, request.outbox, key)
            async with opened as begun:
                if ended := await attempt.get(key):
                    return recorded_outcome(request, ended)
                if begun.verdict:
                    await call.give_up(begun.verdict)
                return await call.run(self._tools.get(request.call.name))

    @activity.defn
    async def check_arguments(self, request: CheckRequest) -> CheckResult:
        """Check a person's arguments for the tool, without running it."""
        tool = self._tools.get(request.tool.name)
        if tool is None:
            return CheckResult(problem=f"this worker has no tool {request.tool.name!r}")
        try:
            work = partial(checked_arguments, request.tool, tool, request.arguments)
            await in_thread(work, request.arguments.values())
        except BadArguments as error:
            return CheckResult(problem=str(error))
        return CheckResult()


class _Call:
    """One attempt of one call."""

    def __init__(
        self, attempt: Attempt, request: ToolRequest, threads: ToolThreads, stop_bound_s: float
    ) -> None:
        self._attempt = attempt
        self._request = request
        self._threads = threads
        self._stop_bound_s = stop_bound_s
        self._id = request.call.call_id
        self._name = request.call.name

    @property
    def called(self) -> Called:
        """What is called."""
        return Called(self._request.step, self._id, self._name, self._claim_key)

    async def give_up(self, why: str) -> NoReturn:
        """Fail as `worker-lost`, without running the tool."""
        await uninterrupted(self._fail(ToolFailure(ErrorType.WORKER_LOST, why)))

    async def run(self, tool: Tool | None) -> ToolOutcome:
        """Check, claim, run, record."""
        try:
            given = await self._arguments()
            ready, arguments = await in_thread(partial(self._checked, tool, given), given.values())
            await self._start(given)
            return await self._execute(ready, arguments)
        except ToolFailure as failure:
            return await uninterrupted(self._fail(failure))

    async def _planned(self) -> ToolCall:
        """The call as the model asked for it, from the message of its step."""
        body = await self._attempt.message(self._request.step)
        calls = body.tool_calls if isinstance(body, MessageCompleted) else ()
        for call in calls:
            if call.call_id == self._id:
                return call
        raise ToolFailure(ErrorType.BAD_ARGUMENTS, f"the journal has no call {self._id!r}")

    async def _arguments(self) -> dict[str, JsonValue]:
        """The arguments that a person gave with the approval, else the model's."""
        planned = (await self._planned()).arguments
        if self._request.approval_id is None:
            return planned
        stored = await self._attempt.get(resolved_key(self._request.approval_id))
        body = stored.body() if stored else None
        if not isinstance(body, ApprovalResolved) or body.decision != "approve":
            raise ToolFailure(
                ErrorType.APPROVAL_REQUIRED,
                f"the journal has no approval {self._request.approval_id!r}",
            )
        return planned if body.arguments is None else body.arguments

    def _checked(
        self, tool: Tool | None, given: dict[str, JsonValue]
    ) -> tuple[Tool, dict[str, Any]]:
        """The tool and its keyword arguments; raises `ToolFailure` if it may not run."""
        spec = self._request.tool
        if spec is None:
            raise ToolFailure(ErrorType.UNKNOWN_TOOL, f"this agent has no tool {self._name!r}")
        if tool is None:
            raise ToolFailure(ErrorType.UNKNOWN_TOOL, f"this worker has no tool {self._name!r}")
        arguments = checked_arguments(spec, tool, given)
        if self._request.approval_id is None and needs_approval(spec, given):
            raise ToolFailure(
                ErrorType.APPROVAL_REQUIRED, f"nobody has approved this call of {self._name}"
            )
        return tool, arguments

    async def _start(self, given: dict[str, JsonValue]) -> None:
        """Journal the start of the tool; for an unsafe one this claims the call."""
        started = ToolStarted(call_id=self._id, name=self._name, arguments=given)
        [appended] = await self._attempt.append(self._event(started, self._claim_key))
        if not appended.new:
            raise ApplicationError(
                f"{self._name} was started before and its end is not known: it may or may not "
                "have run, and it does not run again unless a person says so",
                type=ErrorType.OUTCOME_UNKNOWN,
                non_retryable=True,
                category=ApplicationErrorCategory.BENIGN,
            )

    async def _execute(self, tool: Tool, arguments: dict[str, Any]) -> ToolOutcome:
        """Run the tool within its time-out and record its result."""
        timeout_s = self._request.tool.timeout_s if self._request.tool else 0
        context = RunningTool(self._attempt, self._request)
        work = ToolWork(tool, arguments, context, self._threads)
        try:
            in_time = await work.wait(timeout_s, interruptible=not self._unsafe)
            if not in_time:
                await work.stop(TIMEOUT_GRACE_S)
        except asyncio.CancelledError:
            return await uninterrupted(self._cancelled(work, context))
        await uninterrupted(context.close())
        if not in_time:
            unknown = "; what it did is unknown" if self._unsafe or not work.done else ""
            text = f"{self._name} did not return within {timeout_s:g} s{unknown}"
            raise ToolFailure(ErrorType.TOOL_TIMED_OUT, text, retryable=True)
        return await uninterrupted(self._complete(work.result()))

    async def _cancelled(self, work: ToolWork, context: RunningTool) -> ToolOutcome:
        """Cancel the tool and record whether it stopped, or its result if it still finished."""
        await work.stop(self._stop_bound_s)
        await context.close()
        if work.returned and not context.acknowledged:
            return await self._complete(work.result())
        if await cancelled_by_run():
            await self._record(
                ToolCancelled(call_id=self._id, name=self._name, acked_at=datetime.now(UTC))
                if work.done
                else ToolAbandoned(call_id=self._id, name=self._name)
            )
        raise asyncio.CancelledError

    async def _complete(self, output: Output) -> ToolOutcome:
        await self._record(
            ToolCompleted(
                call_id=self._id, name=self._name, output=output.text, truncated=output.truncated
            )
        )
        return ToolOutcome(
            call_id=self._id, preview=preview(output.text), truncated=output.truncated
        )

    async def _fail(self, failure: ToolFailure) -> NoReturn:
        """Journal the failure and raise it; final if the tool's retries are used up."""
        count = await self._next_failure() if failure.retryable and not self._unsafe else None
        body = ToolFailed(
            call_id=self._id,
            name=self._name,
            error=str(failure),
            retryable=count is not None,
            error_type=failure.kind,
        )
        await self._record(body, self._failure_key(count) if count else None)
        raise failed(body, timedelta(seconds=backoff_s(count)) if count else None)

    async def _next_failure(self) -> int | None:
        """The number of this failure, None if no retry is left."""
        retries = self._request.tool.retries if self._request.tool else 0
        for count in range(1, retries + 1):
            if await self._attempt.get(self._failure_key(count)) is None:
                return count
        return None

    def _failure_key(self, count: int) -> str:
        return failure_key(call_scope(self._request.epoch, self._id), count)

    async def _record(self, body: EventBody, key: str | None = None) -> None:
        """Append the end of the call; retries an unavailable journal for `RECORD_FOR_S`."""
        event = self._event(body, key or result_key(self._request.epoch, self._id))
        deadline = asyncio.get_running_loop().time() + RECORD_FOR_S
        while True:
            try:
                await self._attempt.append(event)
            except ApplicationError as error:
                late = asyncio.get_running_loop().time() > deadline
                if error.type != ErrorType.JOURNAL_UNAVAILABLE or late:
                    raise
                await asyncio.sleep(_RECORD_PAUSE_S)
            else:
                return

    @property
    def _claim_key(self) -> str | None:
        request = self._request
        return claim_key(request.epoch, self._id, request.run) if self._unsafe else None

    @property
    def _unsafe(self) -> bool:
        return self._request.tool is not None and self._request.tool.effects == "unsafe"

    def _event(self, body: EventBody, key: str | None) -> NewEvent:
        return NewEvent(body=body, step=self._request.step, attempt=self._attempt.number, key=key)
