"""The activities `begin_child` and `end_child`: a tool call that is a run of another agent."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from relayline.activities.arguments import unusable
from relayline.activities.attempt import Attempt
from relayline.activities.tool.given import given_arguments
from relayline.activities.tool.output import ToolFailure, as_output, clipped
from relayline.catalog.schemas.schema import mismatch
from relayline.contracts.calls import preview
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    TERMINAL_TYPES,
    ChildEnded,
    ChildStarted,
    EventBody,
    RunCancelled,
    RunCompleted,
    RunFailed,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
)
from relayline.contracts.events.run import run_queued
from relayline.contracts.family.asking import (
    MAX_OPEN,
    ChildBegun,
    ChildEnd,
    ChildOutcome,
    ChildRequest,
)
from relayline.contracts.keys import (
    QUEUED_KEY,
    call_scope,
    child_ended_key,
    child_started_key,
    result_key,
)
from relayline.contracts.runs import RunStatus
from relayline.journal.port import CursorExpired, RunErased
from relayline.journal.table import EVERY, RunFilter, Storage


class ChildActivities:
    """What the workflow of a parent can't do itself: it has neither the journal nor the texts."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @activity.defn
    async def begin_child(self, request: ChildRequest) -> ChildBegun:
        """Journal the run that the call starts, first in its own journal, then in the parent's.

        Whoever sees `child.started` finds the run. A repetition changes nothing.

        Raises:
            ApplicationError: final are `bad-arguments`, `approval-required` and
                `too-many-children`, which the model sees; the others as of `Attempt`.
        """
        scope = call_scope(request.epoch, request.call.call_id)
        attempt = Attempt(self._storage, request.run_id, request.epoch, scope)
        if request.approval_id:
            await attempt.record(request.outbox)  # it may have the approval
        try:
            message = await _message(attempt, request)
        except ToolFailure as failure:
            raise _final(failure.kind, str(failure)) from failure
        child = request.child.model_copy(update={"input": message})
        own = Attempt(self._storage, child.run_id, 0, scope)
        queued = NewEvent(key=QUEUED_KEY, body=run_queued(child, request.submitted_at))
        await own.record(Outbox(facts=(queued,)))
        await self._check_number(request)
        started = ChildStarted(
            call_id=request.call.call_id, run_id=child.run_id, agent=child.agent.name
        )
        key = child_started_key(request.epoch, request.call.call_id)
        fact = NewEvent(key=key, body=started, step=request.step)
        outbox = request.outbox
        await attempt.record_open(outbox.model_copy(update={"facts": (*outbox.facts, fact)}))
        return ChildBegun(message=message)

    async def _check_number(self, request: ChildRequest) -> None:
        """Withdraw the run if too many of its tree are open.

        The run is in the journal already: so of two that begin together, one sees the other.
        """
        parent = request.child.parent
        wanted = RunFilter(root=parent.root if parent else request.run_id, open=True)
        count = sum((await self._storage.count_runs(EVERY, wanted)).values())
        if count > MAX_OPEN and await self._storage.withdraw(request.child.run_id):
            why = f"{MAX_OPEN} runs of this tree are open, which is the most; ask again later"
            raise _final(ErrorType.TOO_MANY_CHILDREN, why)

    @activity.defn
    async def end_child(self, request: ChildEnd) -> ChildOutcome:
        """Journal the end of the run, and with it the result of the call.

        Raises:
            ApplicationError: as of `Attempt`.
        """
        scope = call_scope(request.epoch, request.call_id)
        attempt = Attempt(self._storage, request.run_id, request.epoch, scope)
        terminal = await self._terminal(request.child_id)
        status = TERMINAL_TYPES[terminal.type] if terminal else request.status
        listed = await self._storage.listed(EVERY, request.child_id)
        usage = listed.row.usage + listed.row.child_usage if listed else request.usage
        ended = ChildEnded(
            call_id=request.call_id, run_id=request.child_id, status=status, usage=usage
        )
        result = _result(request, terminal, status)
        facts = (
            NewEvent(key=child_ended_key(request.child_id), body=ended, step=request.step),
            NewEvent(
                key=result_key(request.epoch, request.call_id), body=result, step=request.step
            ),
        )
        outbox = request.outbox
        await attempt.record(outbox.model_copy(update={"facts": (*outbox.facts, *facts)}))
        shown = result.output if isinstance(result, ToolCompleted) else ""
        return ChildOutcome(call_id=request.call_id, preview=preview(shown), usage=usage)

    async def _terminal(self, child_id: str) -> EventBody | None:
        """The terminal fact of the run; None if its journal has none, or has it no more."""
        try:
            head = await self._storage.head(EVERY, child_id)
            if head is None or not head.ended:
                return None
            last = await self._storage.read(EVERY, child_id, head.last_seq - 1, 1, facts=True)
        except (RunErased, CursorExpired):
            return None
        return next((fact.body() for fact in last), None)


async def _message(attempt: Attempt, request: ChildRequest) -> str:
    """What the model asks the other agent; raises `ToolFailure` if it asks in no valid way."""
    given = await given_arguments(attempt, request)
    problem = unusable(given)
    if not problem and request.tool:
        problem = mismatch(request.tool.parameters, given)
    if problem:
        raise ToolFailure(ErrorType.BAD_ARGUMENTS, problem)
    return str(given["message"])


def _result(request: ChildEnd, terminal: EventBody | None, status: RunStatus) -> EventBody:
    """The end of the call, as the model sees it."""
    call_id, name = request.call_id, request.name
    if isinstance(terminal, RunCompleted):
        output = as_output(terminal.output)
        return ToolCompleted(
            call_id=call_id, name=name, output=output.text, truncated=output.truncated
        )
    if request.stopped and status is not RunStatus.FAILED:
        return ToolCancelled(call_id=call_id, name=name, acked_at=datetime.now(UTC))
    return ToolFailed(
        call_id=call_id,
        name=name,
        error=clipped(f"{request.agent} ended without an answer: {_why(terminal, status)}"),
        error_type=ErrorType.CHILD_FAILED,
    )


def _why(terminal: EventBody | None, status: RunStatus) -> str:
    match terminal:
        case RunFailed(error=error):
            return f"{error.type}: {error.message}"
        case RunCancelled(reason=reason, by=by):
            who = f" by {by}" if by else ""
            return f"it was cancelled{who}" + (f": {reason}" if reason else "")
        case _:
            return f"it is {status.value}"


def _final(kind: ErrorType, why: str) -> ApplicationError:
    return ApplicationError(
        why, type=kind, non_retryable=True, category=ApplicationErrorCategory.BENIGN
    )
