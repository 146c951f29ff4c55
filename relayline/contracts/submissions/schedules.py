"""Schedules: runs that are submitted again and again, at times that a calendar gives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, JsonValue

from relayline.contracts.frozen import Frozen
from relayline.contracts.runs import DEFAULT_TENANT, RunStatus

Overlap = Literal["skip", "queue", "all"]
MEMO_SCHEDULE = "schedule"
"""Memo key of `ScheduleMemo`."""
SCHEDULE_PREFIX = "schedule-"
"""Of the ids of our schedules in Temporal, which has others, and of what they start."""


class ScheduleMemo(Frozen):
    """A schedule as it was asked for, without its run; in Temporal's memo of it."""

    tenant: str = DEFAULT_TENANT
    agent: str
    cron: str | None = None
    every_s: int | None = None
    timezone: str = "UTC"
    overlap: Overlap = "skip"
    request_sha256: str = ""
    """Digest of the request: distinguishes a repeated one from another with the same id."""


class SubmitRequest(Frozen):
    """The argument of the workflow that submits the run of one time."""

    schedule_id: str
    run: dict[str, JsonValue]
    """The body of `POST /v1/runs`; checked against the catalog of the time."""
    waits: bool = False
    """True: the workflow is over when the run has ended, for overlap policies other than `all`."""
    tenant: str | None = None
    """Whose the run is, by the credentials that made the schedule; None: what its body says."""
    by: str = ""
    """Who made the schedule, and so submits its runs, as the credentials say."""


class SubmitCall(Frozen):
    """The request to submit the run of one time."""

    action_id: str
    """The workflow's id, which has the schedule's id and the time: the run's key."""
    run: dict[str, JsonValue]
    tenant: str | None = None
    """As in the schedule's `SubmitRequest`."""
    by: str = ""
    """As there."""


class SubmitResult(Frozen):
    """What became of one time of a schedule."""

    run_id: str
    problem: dict[str, JsonValue] | None = None
    """Why the run was refused; None: it was submitted."""


class EndRequest(Frozen):
    """The request to wait for a run's end."""

    run_id: str


class ScheduledRun(Frozen):
    """A run that a schedule has submitted, or that was refused."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    scheduled_at: datetime
    run_id: str
    status: RunStatus | None = None
    """null: it was refused, or is about to be submitted."""
    problem: dict[str, JsonValue] | None = None
    """Why the run was refused, as `POST /v1/runs` would have answered."""


class ScheduleListItem(Frozen):
    """A schedule in a list."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    schedule_id: str
    agent: str
    cron: str | None
    every_s: int | None
    timezone: str
    overlap: Overlap
    paused: bool
    next: tuple[datetime, ...]
    """The next five times, in UTC; while it is paused, those that it would have."""


class ScheduleView(ScheduleListItem):
    """A schedule."""

    run: dict[str, JsonValue]
    """The body of `POST /v1/runs` that is submitted each time."""
    runs: tuple[ScheduledRun, ...]
    """The newest ten, newest first."""


class ScheduleList(Frozen):
    """One page of schedules."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    schedules: tuple[ScheduleListItem, ...]
    """Temporal lists a new schedule, or a change, after a second or so."""
    cursor: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class ScheduleReceipt(Frozen):
    """The receipt of a trigger."""

    schedule_id: str
