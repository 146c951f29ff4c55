"""One attempt of an activity: its fence, its heartbeat, its appends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from relayline.activities.completion import cancelled_calls, step_message, with_content
from relayline.contracts.envelope import NewEvent, Outbox, StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import MessageCompleted, MessageInterrupted
from relayline.journal.port import (
    SEALED,
    Appended,
    CursorExpired,
    Fence,
    Journal,
    JournalError,
    JournalUnavailable,
    RunEnded,
    StaleAttempt,
    Unstorable,
)
from relayline.journal.terminal import read_all

T = TypeVar("T")

HEARTBEAT_EVERY_S = 0.6
"""Well under the heartbeat timeout of `workflows/policy.py`."""
_JOURNAL_RETRY = timedelta(seconds=1)
_BEHIND_RETRY = timedelta(milliseconds=50)
_DESCRIBE_TIMEOUT = timedelta(seconds=2)
_FINAL: dict[type[JournalError], ErrorType] = {
    StaleAttempt: ErrorType.STALE_ATTEMPT,
    RunEnded: ErrorType.RUN_ENDED,
    CursorExpired: ErrorType.JOURNAL_INCOMPLETE,
    Unstorable: ErrorType.UNSTORABLE,
}
"""What no other try helps against."""


class Attempt:
    """One attempt of an activity, writing to one run's journal under one fence.

    Every method raises `ApplicationError` in place of the journal's own errors: `stale-attempt`,
    `run-ended` and `unstorable` are final, `journal-unavailable` Temporal tries again for ever.
    `journal-incomplete`, final, too: the run's events are past retention.
    """

    def __init__(self, journal: Journal, run_id: str, epoch: int, scope: str) -> None:
        self.number = activity.info().attempt
        self._epoch = epoch
        self._journal = journal
        self._run_id = run_id
        self._fence = Fence(scope, self.number)

    async def open(self, outbox: Outbox, result: str) -> bool:
        """Shut the sealed scopes, take the fence, and append the outbox's facts.

        When an operator resets the activity, or the run while the activity is under way, Temporal
        counts its attempts from 1 again, and the fence is too high for them. They are let in if the
        call has ended, by a fact with the key `result`; else they are behind, until one is not.

        Returns:
            True if some of the facts are new: then no attempt has got here before.

        Raises:
            ApplicationError: `attempt-behind`, which Temporal tries again soon.
        """
        try:
            return await self._append_outbox(outbox, self._fence)
        except ApplicationError as error:
            refused = error.__cause__
            if not isinstance(refused, StaleAttempt):
                raise
            if self.number > 1 or await self.get(result) is None:
                raise attempt_behind(error.message) if refused.by < SEALED else error from refused
        return False

    async def record(self, outbox: Outbox) -> None:
        """Shut the sealed scopes and append the outbox, under no fence: keys are enough."""
        await self._append_outbox(outbox, None)

    async def append(self, *events: NewEvent) -> list[Appended]:
        """Append under this attempt's fence."""
        with _translated():
            return await self._journal.append(self._run_id, events, self._fence)

    async def _append_outbox(self, outbox: Outbox, fence: Fence | None) -> bool:
        """Whether some of it is new."""
        with _translated():
            for scope in outbox.seals:
                await self._journal.append(self._run_id, [], Fence(scope, SEALED))
            facts: list[NewEvent] = []
            for fact in outbox.facts:
                where = (self._journal, self._run_id, self._epoch)
                facts += (await with_content(*where, fact), *await cancelled_calls(*where, fact))
            placed = await self._journal.append(self._run_id, facts, fence)
            return any(it.new for it in placed)

    async def message(self, step: int) -> MessageCompleted | MessageInterrupted | None:
        """The message of that step."""
        with _translated():
            return await step_message(self._journal, self._run_id, self._epoch, step)

    async def get(self, key: str) -> StoredEvent | None:
        """The run's fact with that key."""
        with _translated():
            return await self._journal.get(self._run_id, key)

    async def read_all(self, after: int = 0, *, facts: bool) -> Sequence[StoredEvent]:
        """Every event (or every fact) after that `seq`."""
        with _translated():
            return await read_all(self._journal, self._run_id, after, facts=facts)


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Tell Temporal that this worker lives, from a task of its own, until the block ends."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_EVERY_S)
            activity.heartbeat()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which runs to its end even when this task is cancelled meanwhile."""
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            activity.logger.debug("cancelled while the end of a call was being written")
    return task.result()


async def cancelled_by_run() -> bool:
    """Whether a cancelled activity is to stop because its run wants that.

    Temporal says `cancel_requested`, too, to one whose execution an operator has reset. The run
    goes on in another one then, where the call is begun once more: how this one ends is nobody's.
    While Temporal does not answer, it is taken for the run's wish.
    """
    details, info = activity.cancellation_details(), activity.info()
    if details is None or not details.cancel_requested:
        return False
    try:
        run = activity.client().get_workflow_handle(info.workflow_id or "")
        newest = await run.describe(rpc_timeout=_DESCRIBE_TIMEOUT)
    except (RPCError, RuntimeError):  # the latter is what a client raises that can't connect
        return True
    return newest.run_id == info.workflow_run_id


def attempt_behind(why: str) -> ApplicationError:
    """`attempt-behind`: the journal has seen an attempt of this number, or later ones."""
    return ApplicationError(
        why,
        type=ErrorType.ATTEMPT_BEHIND,
        next_retry_delay=_BEHIND_RETRY,
        category=ApplicationErrorCategory.BENIGN,
    )


class _translated:  # noqa: N801  reads as a clause: with _translated()
    """Turns the journal's errors into Temporal's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case StaleAttempt() | RunEnded() | CursorExpired() | Unstorable():
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
    """Seconds until the next attempt after so many failures, twice as long each time.

    It is for calls that failed by themselves. Temporal's own policy (`workflows/policy.py`) covers
    infrastructure failures, such as a killed worker, and retries at once.
    """
    return min(FIRST_RETRY_S * 2.0 ** (failures - 1), LONGEST_RETRY_S)
