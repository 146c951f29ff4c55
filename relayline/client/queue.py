"""Batches and schedules, as the clients make, watch and steer them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack
from urllib.parse import quote

from pydantic import JsonValue

from relayline.client.calls import Call, Nothing
from relayline.client.listing import page_params
from relayline.client.transport import AsyncTransport, Transport
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.submissions.batches import BatchAccepted, BatchList, BatchView
from relayline.contracts.submissions.schedules import (
    Overlap,
    ScheduleList,
    ScheduleReceipt,
    ScheduleView,
)

RunBody = Mapping[str, JsonValue]
"""The body of `POST /v1/runs`: `agent`, `input`, …"""


class ScheduleFields(TypedDict, total=False):
    """When a schedule submits its run; `cron` or `every_s` must be given."""

    schedule_id: str | None
    """Generated if absent."""
    cron: str | None
    """Minute, hour, day of the month, month, day of the week."""
    every_s: int | None
    timezone: str
    """An IANA name, for `cron`."""
    overlap: Overlap
    """At a time when the run before has not ended."""


class QueueCalls:
    """The methods of `Client` about batches and schedules."""

    _transport: Transport

    def submit_batch(
        self,
        runs: Sequence[RunBody],
        *,
        priority: int | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> BatchAccepted:
        """Submit up to 1,000 runs in one call; they start whatever dies afterwards.

        Args:
            runs: Bodies of `POST /v1/runs`. A bad one is in `rejected`, the others start.
            priority: 1 (first) to 5, of those that have none.
            metadata: Labels of all runs; a run's own values win.
            idempotency_key: The same key and runs again give the batch that was submitted the
                first time.

        Raises:
            InvalidRequest: there are no runs or too many, or the key was used with other ones.
        """
        return self._transport.send(_submit(runs, priority, metadata, idempotency_key))

    def batch(self, batch_id: str) -> BatchView:
        """How far a batch is: its runs by status."""
        return self._transport.send(_view(batch_id))

    def batches(self, *, limit: int = 20, cursor: str | None = None) -> BatchList:
        """One page of batches, newest first; at most 100."""
        return self._transport.send(_batches(limit, cursor))

    def cancel_batch(
        self, batch_id: str, *, reason: str = "", by: str = "", command_id: str | None = None
    ) -> CommandReceipt:
        """Cancel every run of a batch that has not ended; each gets the command of the receipt."""
        return self._transport.send(_cancel(batch_id, reason, by, command_id))

    def create_schedule(self, run: RunBody, **when: Unpack[ScheduleFields]) -> ScheduleView:
        """Submit a run again and again, at the times of `cron` or `every_s`.

        The same call with the same `schedule_id` is one schedule.

        Raises:
            InvalidRequest: the calendar, the time zone or the run can't be.
            Conflict: there is another schedule with that id.
        """
        return self._transport.send(_create(run, when))

    def schedule(self, schedule_id: str) -> ScheduleView:
        """A schedule with its next times and its newest runs."""
        return self._transport.send(Call("GET", _schedule(schedule_id), ScheduleView))

    def schedules(self, *, limit: int = 20, cursor: str | None = None) -> ScheduleList:
        """One page of schedules; at most 100."""
        return self._transport.send(_schedules(limit, cursor))

    def pause_schedule(self, schedule_id: str, *, paused: bool = True) -> ScheduleView:
        """Pause a schedule; with `paused=False`, let it continue."""
        return self._transport.send(_pause(schedule_id, paused=paused))

    def trigger_schedule(self, schedule_id: str) -> None:
        """Submit a schedule's run once, now."""
        self._transport.send(_trigger(schedule_id))

    def delete_schedule(self, schedule_id: str) -> None:
        """Delete a schedule; its runs stay."""
        self._transport.send(_delete(schedule_id))


class AsyncQueueCalls:
    """The methods of `AsyncClient` about batches and schedules."""

    _transport: AsyncTransport

    async def submit_batch(
        self,
        runs: Sequence[RunBody],
        *,
        priority: int | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> BatchAccepted:
        """As `Client.submit_batch`."""
        return await self._transport.send(_submit(runs, priority, metadata, idempotency_key))

    async def batch(self, batch_id: str) -> BatchView:
        """As `Client.batch`."""
        return await self._transport.send(_view(batch_id))

    async def batches(self, *, limit: int = 20, cursor: str | None = None) -> BatchList:
        """One page of batches, newest first; at most 100."""
        return await self._transport.send(_batches(limit, cursor))

    async def cancel_batch(
        self, batch_id: str, *, reason: str = "", by: str = "", command_id: str | None = None
    ) -> CommandReceipt:
        """As `Client.cancel_batch`."""
        return await self._transport.send(_cancel(batch_id, reason, by, command_id))

    async def create_schedule(self, run: RunBody, **when: Unpack[ScheduleFields]) -> ScheduleView:
        """As `Client.create_schedule`."""
        return await self._transport.send(_create(run, when))

    async def schedule(self, schedule_id: str) -> ScheduleView:
        """As `Client.schedule`."""
        return await self._transport.send(Call("GET", _schedule(schedule_id), ScheduleView))

    async def schedules(self, *, limit: int = 20, cursor: str | None = None) -> ScheduleList:
        """As `Client.schedules`."""
        return await self._transport.send(_schedules(limit, cursor))

    async def pause_schedule(self, schedule_id: str, *, paused: bool = True) -> ScheduleView:
        """As `Client.pause_schedule`."""
        return await self._transport.send(_pause(schedule_id, paused=paused))

    async def trigger_schedule(self, schedule_id: str) -> None:
        """As `Client.trigger_schedule`."""
        await self._transport.send(_trigger(schedule_id))

    async def delete_schedule(self, schedule_id: str) -> None:
        """As `Client.delete_schedule`."""
        await self._transport.send(_delete(schedule_id))


def _submit(
    runs: Sequence[RunBody],
    priority: int | None,
    metadata: Mapping[str, str] | None,
    idempotency_key: str | None,
) -> Call[BatchAccepted]:
    body: dict[str, JsonValue] = {"runs": [dict(run) for run in runs]}
    if priority is not None:
        body["priority"] = priority
    if metadata is not None:
        body["metadata"] = dict(metadata)
    headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    return Call("POST", "/v1/batches", BatchAccepted, body=body, headers=headers)


def _view(batch_id: str) -> Call[BatchView]:
    return Call("GET", _path(batch_id), BatchView)


def _batches(limit: int, cursor: str | None) -> Call[BatchList]:
    return Call("GET", "/v1/batches", BatchList, page_params(limit, cursor))


def _cancel(batch_id: str, reason: str, by: str, command_id: str | None) -> Call[CommandReceipt]:
    body: dict[str, JsonValue] = {"reason": reason, "by": by}
    if command_id is not None:
        body["command_id"] = command_id
    return Call("POST", f"{_path(batch_id)}/cancel", CommandReceipt, body=body)


def _path(batch_id: str) -> str:
    return f"/v1/batches/{quote(batch_id, safe='')}"


def _create(run: RunBody, when: ScheduleFields) -> Call[ScheduleView]:
    body: dict[str, JsonValue] = {
        "run": dict(run),
        "schedule_id": when.get("schedule_id"),
        "cron": when.get("cron"),
        "every_s": when.get("every_s"),
        "timezone": when.get("timezone"),
        "overlap": when.get("overlap"),
    }
    given = {name: value for name, value in body.items() if value is not None}
    return Call("POST", "/v1/schedules", ScheduleView, body=given)


def _schedules(limit: int, cursor: str | None) -> Call[ScheduleList]:
    return Call("GET", "/v1/schedules", ScheduleList, page_params(limit, cursor))


def _pause(schedule_id: str, *, paused: bool) -> Call[ScheduleView]:
    return Call("PATCH", _schedule(schedule_id), ScheduleView, body={"paused": paused})


def _trigger(schedule_id: str) -> Call[ScheduleReceipt]:
    return Call("POST", f"{_schedule(schedule_id)}/trigger", ScheduleReceipt)


def _delete(schedule_id: str) -> Call[Nothing]:
    return Call("DELETE", _schedule(schedule_id), Nothing)


def _schedule(schedule_id: str) -> str:
    return f"/v1/schedules/{quote(schedule_id, safe='')}"
