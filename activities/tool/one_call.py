"""One attempt of one tool call: check, claim, run and record."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, NoReturn

from pydantic import JsonValue
from temporalio import activity
from temporalio.exceptions import ApplicationError

from relayline.activities.attempt import (
    Attempt,
    backoff_s,
    cancelled_by_run,
    uninterrupted,
)
from relayline.activities.files.tool_images import ImageKeeper
from relayline.activities.suspects import Called
from relayline.activities.tool.context import RunningTool, ToolThreads
from relayline.activities.tool.ended import failed, outcome_unknown
from relayline.activities.tool.given import given_arguments, ready
from relayline.activities.tool.output import Clean, Output, ToolFailure
from relayline.activities.tool.resources import NotStarted
from relayline.activities.tool.served.asking import Asking
from relayline.activities.tool.work import ToolWork
from relayline.activities.whose.run import caller_of
from relayline.catalog.foreign import described
from relayline.catalog.tools import Tool
from relayline.contracts.calls import ToolOutcome, ToolRequest, preview
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    EventBody,
    ToolAbandoned,
    ToolAsked,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    ToolStarted,
)
from relayline.contracts.keys import call_scope, claim_key, failure_key, result_key

STOP_BOUND_S = 10.0
"""How long a cancelled tool may take to stop; less than the workflow's `CANCEL_BOUND`."""
TIMEOUT_GRACE_S = 2.0
"""How long a tool may take to stop after its time-out."""
RECORD_FOR_S = 10.0
"""How long to retry recording the result of a finished tool."""
CHECK_BOUND_S = 10.0
"""How long a person's arguments may take to be checked by a tool's own types."""
_RECORD_PAUSE_S = 0.5


class Shared(NamedTuple):
    """What all calls of a worker share."""

    threads: ToolThreads
    stop_bound_s: float
    clean: Clean
    secrets: Mapping[str, str]
    """What tools may read, by name."""
    images: ImageKeeper | None
    """None: pictures are told as text alone."""


class OneCall:
    """One attempt of one call."""

    def __init__(
        self, attempt: Attempt, request: ToolRequest, shared: Shared, asking: Asking
    ) -> None:
        self._attempt = attempt
        self._asking = asking
        self._request = request
        self._shared = shared
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
            given = await given_arguments(self._attempt, self._request)
            bound_s = self._request.tool.timeout_s if self._request.tool else CHECK_BOUND_S
            check = partial(ready, self._request, tool, given)
            runs, arguments = await self._shared.threads.run_within(bound_s, check)
            if again := await self._asking.before():
                return await uninterrupted(self._asks(again))
            arguments |= await self._shared.threads.resources.given(runs.resources, bound_s)
            caller = await caller_of(
                self._attempt, self._request.tenant, self._request.epoch, self._request.step
            )
            context = RunningTool(
                self._attempt, self._request, caller, self._shared.clean, self._shared.secrets
            )
            await self._start(given)
            return await self._execute(runs, arguments, context)
        except ToolFailure as failure:
            return await uninterrupted(self._fail(failure))
        except ApplicationError:
            raise
        except Exception as error:  # noqa: BLE001  uncounted, it would be retried without end
            activity.logger.warning("a tool call failed in the worker", exc_info=error)
            text = f"the worker could not run {self._name}: {described(error)}"
            own = ToolFailure(ErrorType.TOOL_FAILED, text, retryable=True)
            return await uninterrupted(self._fail(own))

    async def _start(self, given: dict[str, JsonValue]) -> None:
        """Journal the start of the tool; for an unsafe one this claims the call."""
        started = ToolStarted(call_id=self._id, name=self._name, arguments=given)
        [appended] = await self._attempt.append(self._event(started, self._claim_key))
        if not appended.new:
            raise outcome_unknown(
                f"{self._name} was started before and its end is not known: it may or may not "
                "have run, and it does not run again unless a person says so"
            )

    async def _execute(
        self, tool: Tool, arguments: dict[str, Any], context: RunningTool
    ) -> ToolOutcome:
        """Run the tool within its time-out and record its result.

        Nothing here may fail before the tool runs: the call has been claimed.
        """
        timeout_s = self._request.tool.timeout_s if self._request.tool else 0
        work = ToolWork(tool, arguments, context, self._shared.threads, self._shared.clean)
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
            if held_by := work.held_by:
                text += f"; {held_by} blocked all async tools meanwhile"
            raise ToolFailure(ErrorType.TOOL_TIMED_OUT, text, retryable=True)
        output = work.result()
        if asked := self._asking.after():
            return await uninterrupted(self._asks(asked))
        return await uninterrupted(self._complete(output))

    async def _cancelled(self, work: ToolWork, context: RunningTool) -> ToolOutcome:
        """Cancel the tool and record whether it stopped, or its result if it still finished."""
        await work.stop(self._shared.stop_bound_s)
        await context.close()
        if work.returned and not context.acknowledged and not self._asking.after():
            return await self._complete(work.result())
        if await cancelled_by_run():
            await self._record(
                self._stopped if work.done else ToolAbandoned(call_id=self._id, name=self._name)
            )
        raise asyncio.CancelledError

    async def _complete(self, output: Output) -> ToolOutcome:
        keeper = self._shared.images
        files = await keeper.keep(self._request, output.pictures) if keeper else ()
        text, cut = output.text, output.truncated
        named = {"call_id": self._id, "name": self._name}
        await self._record(ToolCompleted(**named, output=text, truncated=cut, files=files))
        return ToolOutcome(
            call_id=self._id, preview=preview(output.text), truncated=output.truncated
        )

    async def _asks(self, body: ToolAsked) -> ToolOutcome:
        """End this run of the call with what its server asks."""
        await self._record(body, self._asking.key)
        return self._asking.outcome(body)

    @property
    def _stopped(self) -> ToolCancelled:
        first = self._request.call.mcp is None or self._attempt.number == 1
        confirmed = first and self._asking.stopped  # the call of an earlier attempt may still run
        now = datetime.now(UTC)
        return ToolCancelled(call_id=self._id, name=self._name, acked_at=now, confirmed=confirmed)

    async def _fail(self, failure: ToolFailure) -> NoReturn:
        """Journal the failure and raise it; final if the tool's retries are used up."""
        if failure.kind is ErrorType.OUTCOME_UNKNOWN:
            raise outcome_unknown(self._shared.clean(str(failure)))
        again = failure.retryable and (not self._unsafe or isinstance(failure, NotStarted))
        count = await self._next_failure() if again else None
        body = ToolFailed(
            call_id=self._id,
            name=self._name,
            error=self._shared.clean(str(failure)),
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
