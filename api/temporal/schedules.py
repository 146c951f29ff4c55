"""All calls about schedules to Temporal, bounded in time."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    WorkflowExecutionStatus,
)
from temporalio.service import RPCError, RPCStatusCode

from relayline.api.errors import BadRequest, InvalidField, UnknownSchedule
from relayline.api.temporal.deadline import decrypting, with_deadline
from relayline.contracts.submissions.batches import SUBMISSIONS_QUEUE
from relayline.contracts.submissions.schedules import (
    MEMO_SCHEDULE,
    SCHEDULE_PREFIX,
    Overlap,
    ScheduleMemo,
    SubmitRequest,
    SubmitResult,
)
from relayline.workflows.submissions.submit import Submit

T = TypeVar("T")
CALL_S = 5.0
TASK_TIMEOUT = timedelta(seconds=5)
CATCH_UP = timedelta(minutes=10)
"""A time that was missed for longer, because Temporal was away, is skipped."""
_OVERLAP: dict[Overlap, ScheduleOverlapPolicy] = {
    "skip": ScheduleOverlapPolicy.SKIP,
    "queue": ScheduleOverlapPolicy.BUFFER_ALL,
    "all": ScheduleOverlapPolicy.ALLOW_ALL,
}


class Action(NamedTuple):
    """One time at which a schedule has acted."""

    scheduled_at: datetime
    action_id: str
    """Id of the workflow that it started."""


@dataclass(frozen=True)
class Scheduled:
    """A schedule, as Temporal has it."""

    schedule_id: str
    memo: ScheduleMemo
    paused: bool
    next: Sequence[datetime]


@dataclass(frozen=True)
class Described(Scheduled):
    """A schedule with its run, and its newest actions, oldest first."""

    request: SubmitRequest
    actions: Sequence[Action]


class ScheduleGateway:
    """Temporal Schedules; every call raises `TemporalUnavailable` without a timely answer.

    Those of one schedule raise `UnknownSchedule` if there is none with that id.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, schedule_id: str, memo: ScheduleMemo, request: SubmitRequest) -> bool:
        """Create it; False if there is one with that id.

        Raises:
            InvalidField: Temporal can't read the calendar or the time zone.
        """
        every = timedelta(seconds=memo.every_s or 0)
        schedule = Schedule(
            action=ScheduleActionStartWorkflow(
                Submit.run,
                request,
                id=f"{SCHEDULE_PREFIX}{schedule_id}",
                task_queue=SUBMISSIONS_QUEUE,
                task_timeout=TASK_TIMEOUT,
            ),
            spec=ScheduleSpec(
                cron_expressions=[memo.cron] if memo.cron else [],
                intervals=[ScheduleIntervalSpec(every=every)] if memo.every_s else [],
                time_zone_name=memo.timezone,
            ),
            policy=SchedulePolicy(overlap=_OVERLAP[memo.overlap], catchup_window=CATCH_UP),
        )
        creating = self._client.create_schedule(
            f"{SCHEDULE_PREFIX}{schedule_id}",
            schedule,
            memo={MEMO_SCHEDULE: memo},
            rpc_timeout=timedelta(seconds=CALL_S),
        )
        try:
            await with_deadline(CALL_S, creating)
        except ScheduleAlreadyRunningError:
            return False
        except RPCError as error:
            field = "cron" if memo.cron else "every_s"
            raise InvalidField(f"{field}: {error.message}", field=field) from error
        return True

    async def describe(self, schedule_id: str) -> Described:
        """The schedule, as it is now."""
        found: ScheduleDescription = await self._of(
            schedule_id, self._handle(schedule_id).describe(rpc_timeout=timedelta(seconds=CALL_S))
        )
        with decrypting():
            memo = await found.memo_value(MEMO_SCHEDULE, None, type_hint=ScheduleMemo)
        action = found.schedule.action
        if memo is None or not isinstance(action, ScheduleActionStartWorkflow):
            raise UnknownSchedule(schedule_id)
        with decrypting():
            [request] = await self._client.data_converter.decode([*action.args], [SubmitRequest])
        return Described(
            schedule_id,
            memo,
            found.schedule.state.paused,
            found.info.next_action_times,
            request,
            [
                Action(it.scheduled_at, it.action.workflow_id)
                for it in found.info.recent_actions
                if isinstance(it.action, ScheduleActionExecutionStartWorkflow)
            ],
        )

    async def page(self, limit: int, place: str | None) -> tuple[list[Scheduled], str | None]:
        """Schedules of all tenants, and the place of the next page.

        Raises:
            BadRequest: it is not a place in this list.
        """
        token = _token(place) if place else None
        listing = await self._client.list_schedules(page_size=limit, next_page_token=token)
        try:
            await with_deadline(CALL_S, listing.fetch_next_page())
        except RPCError as error:
            raise _invalid() from error
        found = [await _listed(it) for it in listing.current_page or ()]
        following = listing.next_page_token
        more = base64.urlsafe_b64encode(following).decode() if following else None
        return [it for it in found if it is not None], more

    async def pause(self, schedule_id: str, *, paused: bool) -> None:
        """Pause it, or let it continue."""
        handle, timeout = self._handle(schedule_id), timedelta(seconds=CALL_S)
        call = handle.pause(rpc_timeout=timeout) if paused else handle.unpause(rpc_timeout=timeout)
        await self._of(schedule_id, call)

    async def trigger(self, schedule_id: str) -> None:
        """Act once, now, by its overlap policy; also while it is paused."""
        handle = self._handle(schedule_id)
        await self._of(schedule_id, handle.trigger(rpc_timeout=timedelta(seconds=CALL_S)))

    async def delete(self, schedule_id: str) -> None:
        """Delete it; its runs stay."""
        handle = self._handle(schedule_id)
        await self._of(schedule_id, handle.delete(rpc_timeout=timedelta(seconds=CALL_S)))

    async def result(self, action_id: str) -> SubmitResult | None:
        """What became of an action; None while it is at work, or if nobody knows."""
        handle = self._client.get_workflow_handle(action_id, result_type=SubmitResult)
        try:
            described = await with_deadline(CALL_S, handle.describe())
            if described.status is not WorkflowExecutionStatus.COMPLETED:
                return None
            return await with_deadline(CALL_S, handle.result())
        except RPCError:
            return None

    def _handle(self, schedule_id: str) -> ScheduleHandle:
        return self._client.get_schedule_handle(f"{SCHEDULE_PREFIX}{schedule_id}")

    async def _of(self, schedule_id: str, call: Awaitable[T]) -> T:
        try:
            return await with_deadline(CALL_S, call)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            raise UnknownSchedule(schedule_id) from error


async def _listed(found: ScheduleListDescription) -> Scheduled | None:
    """None for a schedule that is none of ours, such as that of housekeeping."""
    if not found.id.startswith(SCHEDULE_PREFIX) or found.schedule is None or found.info is None:
        return None
    with decrypting():
        memo = await found.memo_value(MEMO_SCHEDULE, None, type_hint=ScheduleMemo)
    if memo is None:
        return None
    paused, times = found.schedule.state.paused, found.info.next_action_times
    return Scheduled(found.id.removeprefix(SCHEDULE_PREFIX), memo, paused, times)


def _invalid() -> BadRequest:
    said = "cursor: not a cursor of this list"
    return BadRequest(said, slug="invalid-cursor", field="cursor")


def _token(place: str) -> bytes:
    """Temporal's own place in the list, which is JSON; it fails on anything else."""
    try:
        token = base64.b64decode(place, altchars=b"-_", validate=True)
        json.loads(token)
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error
    return token
