"""One attempt of an activity: its fence, its appends and its backoff."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from relayline.activities.completion import (
    cancelled_calls,
    step_message,
    with_content,
    with_digest,
)
from relayline.activities.family.left import left_runs
from relayline.contracts.envelope import NewEvent, Outbox, StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import MessageCompleted, MessageInterrupted
from relayline.contracts.keys import QUEUED_KEY, tried_before
from relayline.journal.port import (
    SEALED,
    Appended,
    CursorExpired,
    Fence,
    Holder,
    Journal,
    JournalError,
    JournalUnavailable,
    RunEnded,
    RunErased,
    StaleAttempt,
    TenantErased,
    Unstorable,
)
from relayline.journal.rows import now_us
from relayline.journal.table import EVERY
from relayline.journal.terminal import read_all

T = TypeVar("T")

_JOURNAL_RETRY = timedelta(seconds=1)
_BEHIND_RETRY = timedelta(milliseconds=50)
_DESCRIBE_TIMEOUT = timedelta(seconds=2)
_FINAL: dict[type[JournalError], ErrorType] = {
    StaleAttempt: ErrorType.STALE_ATTEMPT,
    RunEnded: ErrorType.RUN_ENDED,
    RunErased: ErrorType.RUN_ERASED,
    TenantErased: ErrorType.RUN_ERASED,
    CursorExpired: ErrorType.JOURNAL_INCOMPLETE,
    Unstorable: ErrorType.UNSTORABLE,
}
"""Errors of the journal that no retry can help."""


class Opened(NamedTuple):
    """What the append that raised the fence has shown."""

    first: bool = False
    """True if some of the facts are new: then this is the first attempt to get here."""
    facts: tuple[StoredEvent, ...] = ()
    """All facts of the run, if they came with this call, so that nobody must read them."""


class Attempt:
    """One attempt of an activity, writing to one run's journal under one fence.

    Every method raises `ApplicationError` for the journal's errors: `stale-attempt`, `run-ended`,
    `run-erased`, `unstorable` and `journal-incomplete` (the run's events are past retention) are
    final; Temporal retries `journal-unavailable` without a limit.
    """

    def __init__(
        self,
        journal: Journal,
        run_id: str,
        epoch: int,
        scope: str,
        holder: Holder | None = None,
    ) -> None:
        self.number = tried_before(scope) + activity.info().attempt
        """Counts on from the attempts of other models in the same step."""
        self.run_id = run_id
        self.scope = scope
        """Fence scope of the call of which this is an attempt."""
        self._epoch = epoch
        self._journal = journal
        self._fence = Fence(scope, self.number)
        self._taking = Fence(scope, self.number, holder)

    async def open(self, outbox: Outbox, result: str, lost: NewEvent | None = None) -> Opened:
        """Close the sealed scopes, raise the fence, and append the outbox's facts and `lost`.

        The append that raises the fence also records who holds the call.

        After a reset of the activity, or of the run while the activity runs, Temporal counts its
        attempts from 1 again, and the fence is too high for them. The first of them may continue
        if the call has ended, with a fact under the key `result`; otherwise the attempt is behind,
        and Temporal retries until its number is high enough.

        Raises:
            ApplicationError: `attempt-behind`, which Temporal retries soon.
        """
        try:
            return await self._append_outbox(outbox, self._taking, lost)
        except ApplicationError as error:
            refused = error.__cause__
            if not isinstance(refused, StaleAttempt):
                raise
            if self.number > 1 or await self.get(result) is None:
                raise attempt_behind(error.message) if refused.by < SEALED else error from refused
        return Opened()

    async def record(self, outbox: Outbox) -> None:
        """Close the sealed scopes and append the outbox, without a fence: keys are enough."""
        await self._append_outbox(outbox, None, None)

    async def record_open(self, outbox: Outbox) -> None:
        """The same, unless a reset has closed the scope; attempts need no order."""
        await self._append_outbox(outbox, Fence(self.scope, 1), None)

    async def append(self, *events: NewEvent) -> list[Appended]:
        """Append events under this attempt's fence."""
        with _translated():
            return await self._journal.append(self.run_id, events, self._fence)

    async def fenced(self, scope: str) -> int:
        """The highest attempt that has appended under that scope of the run; 0 if none."""
        with _translated():
            return await self._journal.fenced(self.run_id, scope)

    async def mark(self, scope: str, number: int | None = None) -> None:
        """Raise the fence of that scope to this attempt, or that number, if it is lower."""
        with _translated():
            try:
                await self._journal.append(self.run_id, [], Fence(scope, number or self.number))
            except StaleAttempt:
                return

    async def _append_outbox(
        self, outbox: Outbox, fence: Fence | None, lost: NewEvent | None
    ) -> Opened:
        """Append the outbox, and `lost` behind it."""
        with _translated():
            for scope in outbox.seals:
                await self._journal.append(self.run_id, [], Fence(scope, SEALED))
            facts: list[NewEvent] = []
            for fact in outbox.facts:
                where = (self._journal, self.run_id, self._epoch)
                whole = await with_content(*where, fact)
                whole = await with_digest(self._journal, self.run_id, whole, facts)
                left = await left_runs(self._journal, self.run_id, fact, facts)
                facts += (*left, whole, *await cancelled_calls(*where, fact))
            told = facts if lost is None else [*facts, lost]
            placed = await self._journal.append(self.run_id, told, fence)
            first = any(it.new for it in placed[: len(facts)])
            return Opened(first, _all_facts(self.run_id, told, placed))

    async def message(self, step: int) -> MessageCompleted | MessageInterrupted | None:
        """The message of a step."""
        with _translated():
            return await step_message(self._journal, self.run_id, self._epoch, step)

    async def get(self, key: str) -> StoredEvent | None:
        """The run's fact with that key."""
        with _translated():
            return await self._journal.get(EVERY, self.run_id, key)

    async def read_other(self, tenant: str, run_id: str) -> Sequence[StoredEvent]:
        """Every fact of another run of that tenant; none if it has no such run."""
        with _translated():
            return await read_all(self._journal, run_id, facts=True, tenant=tenant)

    async def read_all(self, after: int = 0, *, facts: bool) -> Sequence[StoredEvent]:
        """Every event (or every fact) after a `seq`."""
        with _translated():
            return await read_all(self._journal, self.run_id, after, facts=facts)


def _all_facts(
    run_id: str, told: Sequence[NewEvent], placed: Sequence[Appended]
) -> tuple[StoredEvent, ...]:
    """The events as stored if the run has no others, else nothing.

    `run.queued` may be there already, and no other: another attempt may have written that.
    """
    alone = [it.seq for it in placed] == [*range(1, len(placed) + 1)]
    if not alone or not all(
        it.new or event.key == QUEUED_KEY for it, event in zip(placed, told, strict=True)
    ):
        return ()
    at_us = now_us()
    return tuple(
        StoredEvent(run_id, seq, at_us, it.body.type, it.step, it.attempt, it.key, it.data_json())
        for seq, it in enumerate(told, 1)
    )


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which runs to its end even if this task is cancelled meanwhile."""
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            activity.logger.debug("cancelled while the end of a call was being written")
    return task.result()


async def cancelled_by_run() -> bool:
    """True if the run itself has cancelled this activity.

    Temporal also reports `cancel_requested` after an operator has reset the execution. The run then
    continues in another execution, which starts the call again; nobody waits for this one. While
    Temporal is unavailable, the answer is True.
    """
    details, info = activity.cancellation_details(), activity.info()
    if details is None or not details.cancel_requested:
        return False
    try:
        run = activity.client().get_workflow_handle(info.workflow_id or "")
        newest = await run.describe(rpc_timeout=_DESCRIBE_TIMEOUT)
    except (RPCError, RuntimeError):  # a client that can't connect raises RuntimeError
        return True
    return newest.run_id == info.workflow_run_id


def attempt_behind(why: str) -> ApplicationError:
    """`attempt-behind`: the journal has seen this attempt number, or a higher one."""
    return ApplicationError(
        why,
        type=ErrorType.ATTEMPT_BEHIND,
        next_retry_delay=_BEHIND_RETRY,
        category=ApplicationErrorCategory.BENIGN,
    )


class _translated:  # noqa: N801  reads as a clause: with _translated()
    """Converts the journal's errors to Temporal's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case StaleAttempt() | RunEnded() | RunErased() | CursorExpired() | Unstorable():
                final = _FINAL[type(error)]
                raise ApplicationError(str(error), type=final, non_retryable=True) from error
            case JournalUnavailable():
                raise ApplicationError(
                    str(error),
                    type=ErrorType.JOURNAL_UNAVAILABLE,
                    next_retry_delay=_JOURNAL_RETRY,
                ) from error
            case _:
                return


FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 20.0


def backoff_s(failures: int) -> float:
    """Seconds until the next attempt after so many failures; doubles each time.

    For calls that failed by themselves. Temporal's own policy (`workflows/policy.py`) covers
    infrastructure failures, such as a killed worker, and retries at once.
    """
    return min(FIRST_RETRY_S * 2.0 ** (failures - 1), LONGEST_RETRY_S)
