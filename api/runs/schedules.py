"""Schedules: checked when they are made and at each of their times, shown with their runs."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

from relayline.api.bodies import ScheduleRequest
from relayline.api.documents import document_of
from relayline.api.errors import (
    ApiError,
    InvalidField,
    ScheduleExists,
    TemporalUnavailable,
    TooLarge,
    UnknownSchedule,
)
from relayline.api.part_bodies import parts_in
from relayline.api.runs.owners import seen_by
from relayline.api.runs.submission import Submission
from relayline.api.runs.validation import run_request
from relayline.api.signing.cursors import ListOf
from relayline.api.signing.ids import KeyedIds
from relayline.api.signing.parts import Signing
from relayline.api.temporal.schedules import Action, Described, Scheduled, ScheduleGateway
from relayline.contracts.files.parts import FilePart
from relayline.contracts.principals import ANYBODY, Principal
from relayline.contracts.submissions.schedules import (
    ScheduledRun,
    ScheduleList,
    ScheduleListItem,
    ScheduleMemo,
    ScheduleView,
    SubmitCall,
    SubmitRequest,
    SubmitResult,
)
from relayline.journal.table import EVERY, EveryTenant, RunTable, Tenant, may_see

_CURSOR = re.compile(r"([A-Za-z0-9_=-]{1,2000})")
_UNNAMED = "schedule"
"""Who submits the runs of a schedule that was made with credentials and does not have their name.
"""
NEXT = 5
"""Times that are shown of a schedule."""


class RunSchedules:
    """Makes schedules and shows them; Temporal keeps them and their times.

    Two tenants may have schedules of the same id. Temporal has one of tenant `T` as `T:ID`, and one
    that was made while authentication was off as `ID`: a tenant finds both kinds, if it is its own.
    """

    def __init__(
        self, submission: Submission, table: RunTable, gateway: ScheduleGateway, signing: Signing
    ) -> None:
        self._ids = signing.ids
        self._cursors = signing.cursors
        self._submission = submission
        self._table = table
        self._gateway = gateway

    async def create(
        self, request: ScheduleRequest, sender: Principal = ANYBODY
    ) -> tuple[ScheduleView, bool]:
        """Create the schedule; False if the same request has created it before.

        Raises:
            InvalidField, TooLarge: the calendar, the time zone or the run can't be.
            ScheduleExists: there is another with that id.
            TemporalUnavailable: it may not exist; send it again with its id.
        """
        _check_files(request)
        tenant = await self._check(request, sender)
        schedule_id = request.schedule_id or f"sched_{secrets.token_hex(8)}"
        run = request.run.model_dump(mode="json", exclude_unset=True)
        memo = ScheduleMemo(
            tenant=tenant,
            agent=request.run.agent,
            cron=request.cron,
            every_s=request.every_s,
            timezone=request.timezone,
            overlap=request.overlap,
            request_sha256=_digest(request),
        )
        asked = SubmitRequest(
            schedule_id=schedule_id,
            run=run,
            waits=request.overlap != "all",
            tenant=sender.tenant,
            by=sender.subject,
        )
        theirs = seen_by(sender)
        new = await self._create(theirs, schedule_id, memo, asked)
        if not new:
            there = (await self._described(theirs, schedule_id))[1].memo
            if (there.request_sha256, there.tenant) != (memo.request_sha256, tenant):
                raise ScheduleExists(
                    f"schedule_id: {schedule_id!r} is another schedule; delete it first",
                    field="schedule_id",
                )
        return await self.find(theirs, schedule_id), new

    async def find(self, tenant: Tenant, schedule_id: str) -> ScheduleView:
        """The schedule, with its next times and newest runs.

        Raises:
            UnknownSchedule: that tenant has none with that id.
        """
        _, found = await self._described(tenant, schedule_id)
        runs = await asyncio.gather(
            *(self.outcome(tenant, it, found.request) for it in reversed(found.actions))
        )
        return ScheduleView(**_fields(tenant, found), run=found.request.run, runs=tuple(runs))

    async def page(self, tenant: Tenant, limit: int, cursor: str | None) -> ScheduleList:
        """At most `limit` schedules after the cursor."""
        of = ListOf("schedules", tenant)
        place = self._cursors.decode(of, cursor, _CURSOR)[0] if cursor else None
        found, place = await self._gateway.page(limit, place)
        following = self._cursors.encode(of, place) if place else None
        theirs = [it for it in found if may_see(tenant, it.memo.tenant)]
        items = tuple(ScheduleListItem(**_fields(tenant, it)) for it in theirs)
        return ScheduleList(schedules=items, cursor=following)

    async def pause(self, tenant: Tenant, schedule_id: str, *, paused: bool) -> ScheduleView:
        """Pause it, or let it continue; as it is then."""
        name, _ = await self._described(tenant, schedule_id)
        await self._gateway.pause(name, paused=paused)
        return await self.find(tenant, schedule_id)

    async def trigger(self, tenant: Tenant, schedule_id: str) -> None:
        """Submit its run once, now, by its overlap policy."""
        name, _ = await self._described(tenant, schedule_id)
        await self._gateway.trigger(name)

    async def delete(self, tenant: Tenant, schedule_id: str) -> None:
        """Delete it; its runs stay."""
        name, _ = await self._described(tenant, schedule_id)
        await self._gateway.delete(name)

    async def _create(
        self, tenant: Tenant, schedule_id: str, memo: ScheduleMemo, asked: SubmitRequest
    ) -> bool:
        """Create it; False if the tenant has one with that id."""
        if tenant is not EVERY:
            with suppress(UnknownSchedule):
                await self._described(tenant, schedule_id)
                return False
        return await self._gateway.create(_name(tenant, schedule_id), memo, asked)

    async def _described(self, tenant: Tenant, schedule_id: str) -> tuple[str, Described]:
        """The schedule with its name in Temporal.

        Raises:
            UnknownSchedule: that tenant has none with that id.
        """
        if tenant is not EVERY:
            with suppress(UnknownSchedule):
                name = _name(tenant, schedule_id)
                return name, await self._gateway.describe(name)
        found = await self._gateway.describe(schedule_id)
        if not may_see(tenant, found.memo.tenant):
            raise UnknownSchedule(schedule_id)
        return schedule_id, found

    async def _check(self, request: ScheduleRequest, sender: Principal) -> str:
        """Check what Temporal does not; the tenant."""
        if (request.cron is None) is (request.every_s is None):
            raise InvalidField("cron: give it or every_s, one of the two", field="cron")
        if request.run.start_at is not None:
            raise InvalidField("run.start_at: the schedule has the times", field="run.start_at")
        try:
            ZoneInfo(request.timezone)
        except (KeyError, ValueError, OSError) as error:
            said = f"timezone: no time zone {request.timezone!r}; for example Europe/Berlin"
            raise InvalidField(said, field="timezone") from error
        try:
            return (await self._submission.prepare(request.run, None, sender)).run.tenant
        except (InvalidField, TooLarge) as error:
            error.detail = f"run.{error.detail}"
            error.members["field"] = f"run.{error.members['field']}"
            raise

    async def outcome(self, tenant: Tenant, action: Action, request: SubmitRequest) -> ScheduledRun:
        """The run of one time; why there is none, if it was refused."""
        ids = self._ids.runs(schedule_key(action.action_id), submitter_of(request))
        for run_id in ids:
            if listed := await self._table.listed(tenant, run_id):
                status = listed.row.status
                return ScheduledRun(scheduled_at=action.scheduled_at, run_id=run_id, status=status)
        result = await self._gateway.result(action.action_id)
        return ScheduledRun(
            scheduled_at=action.scheduled_at,
            run_id=result.run_id if result else ids[0],
            problem=result.problem if result else None,
        )


class ScheduledSubmission:
    """Submits the run of one time of a schedule, in a worker."""

    def __init__(self, submission: Submission, ids: KeyedIds) -> None:
        self._submission = submission
        self._ids = ids

    async def submit(self, call: SubmitCall) -> SubmitResult:
        """Start the run once, however often this is repeated; or say why it was refused.

        Raises:
            TemporalUnavailable: it may not have started; repeat it.
            JournalUnavailable: the journal does not answer; repeat it.
        """
        key, sender = schedule_key(call.action_id), submitter_of(call)
        try:
            prepared = await self._submission.prepare(run_request(call.run), key, sender)
            await self._submission.start(prepared)
        except TemporalUnavailable:
            raise
        except ApiError as error:
            return SubmitResult(run_id=self._ids.run(key, sender), problem=document_of(error))
        return SubmitResult(run_id=prepared.run.run_id)


def schedule_key(action_id: str) -> str:
    """The key of the run of one time; differs from every `Idempotency-Key`, which has no NUL."""
    return f"schedule\0{action_id}"


def submitter_of(request: SubmitRequest | SubmitCall) -> Principal:
    """Who submits the runs of a schedule: who has made it, as far as it says so."""
    by = request.by or (_UNNAMED if request.tenant is not None else "")
    return replace(ANYBODY, tenant=request.tenant, subject=by)


def _digest(request: ScheduleRequest) -> str:
    given = request.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _name(tenant: Tenant, schedule_id: str) -> str:
    """Of a tenant's schedule in Temporal; no id that a request gives has a colon."""
    return schedule_id if isinstance(tenant, EveryTenant) else f"{tenant}:{schedule_id}"


def _fields(tenant: Tenant, found: Scheduled) -> dict[str, object]:
    """What every view of a schedule has."""
    memo = found.memo
    return {
        "schedule_id": found.schedule_id.removeprefix(_name(tenant, "")),
        "agent": memo.agent,
        "cron": memo.cron,
        "every_s": memo.every_s,
        "timezone": memo.timezone,
        "overlap": memo.overlap,
        "paused": found.paused,
        "next": tuple(moment.astimezone(UTC) for moment in found.next[:NEXT]),
    }


def _check_files(request: ScheduleRequest) -> None:
    """Return if the run names no file: none would live until the last of a schedule's times.

    Raises:
        InvalidField: it does.
    """
    history = enumerate(request.run.history or ())
    contents = {"input": request.run.input}
    contents |= {f"history.{place}.content": said.content for place, said in history}
    for name, content in contents.items():
        for index, part in enumerate(parts_in(content)):
            if isinstance(part, FilePart) and part.file_id:
                field = f"run.{name}.{index}.file_id"
                said = "a schedule can't name files, which expire; give a URL"
                raise InvalidField(f"{field}: {said}", field=field)
