"""A run as Temporal knows it without asking a worker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from temporalio.api.enums.v1 import PendingActivityState as State
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo
from temporalio.client import (
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from temporalio.common import Priority, SearchAttributeKey

from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import (
    DEFAULT_TENANT,
    FIRST_STEP,
    MEMO_PROGRESS,
    MEMO_REQUEST,
    SEARCH_STATUS,
    SEARCH_TENANT,
    RunInput,
    RunMemo,
    RunRequestMemo,
    RunStatus,
)
from relayline.projections.markdown import code_span

MAX_FAIRNESS_BYTES = 64
"""The longest fairness key that Temporal takes."""
_SECOND_LOSS = 3
"""The attempt that begins when two have been lost."""
_STATUS = SearchAttributeKey.for_keyword(SEARCH_STATUS)
_TENANT = SearchAttributeKey.for_keyword(SEARCH_TENANT)
_UNSET: Mapping[str, RunMemo] = {
    RunStatus.RUNNING: FIRST_STEP,
    RunStatus.SCHEDULED: RunMemo(status=RunStatus.SCHEDULED),
}
"""What an unset memo means, by the search attribute."""


class Execution(NamedTuple):
    """What Temporal knows of a run without asking a worker."""

    run_id: str
    status: RunStatus
    request: RunRequestMemo | None
    memo: RunMemo
    started_at: datetime
    closed_at: datetime | None
    task_attempt: int = 0
    """Attempt of the pending workflow task, 0 if there is none; only from a description."""
    waited_s: float = 0
    """Seconds that its oldest task has waited for a worker, or for completion if it is a workflow
    task; only from a description."""
    queues: frozenset[str] = frozenset()
    """Task queues on which its calls wait; only from a description."""
    activity_paused: bool = False
    """True when an operator has paused one of its calls in Temporal; only from a description."""
    lost: bool = False
    """True when the worker of one of its calls may have died more than once; the journal knows;
    only from a description."""
    build_id: str = ""
    """The only build whose workers may take its tasks; empty: any, or it has not started."""
    history_events: int = 0
    history_bytes: int = 0
    tenant: str = DEFAULT_TENANT

    @property
    def submitted_at(self) -> datetime:
        """When the run was submitted; a long run has continued as new in later executions."""
        return (self.request and self.request.created_at) or self.started_at


async def execution_of(described: WorkflowExecution) -> Execution:
    """Convert a description or a list item."""
    memo = await described.memo_value(MEMO_PROGRESS, RunMemo(), type_hint=RunMemo)
    if memo.status is RunStatus.QUEUED:
        shown = described.typed_search_attributes.get(_STATUS) or ""
        memo = _UNSET.get(shown, memo)
    request = await described.memo_value(MEMO_REQUEST, None, type_hint=RunRequestMemo)
    found = Execution(
        described.id,
        status_of(described.status, memo),
        request,
        memo,
        described.start_time,
        described.close_time,
    )
    found = found._replace(tenant=described.typed_search_attributes.get(_TENANT) or DEFAULT_TENANT)
    if not isinstance(described, WorkflowExecutionDescription):
        return found
    raw = described.raw_description
    waiting = [
        activity
        for activity in raw.pending_activities
        if activity.state == State.PENDING_ACTIVITY_STATE_SCHEDULED
    ]
    states = {activity.state for activity in raw.pending_activities}
    versioning = raw.workflow_execution_info.versioning_info
    return found._replace(
        task_attempt=raw.pending_workflow_task.attempt,
        waited_s=_waited_s(raw.pending_workflow_task, waiting),
        queues=frozenset(activity.activity_options.task_queue.name for activity in waiting),
        activity_paused=State.PENDING_ACTIVITY_STATE_PAUSED in states,
        lost=any(map(_may_be_lost, raw.pending_activities)),
        build_id=versioning.deployment_version.build_id,
        history_events=raw.workflow_execution_info.history_length,
        history_bytes=raw.workflow_execution_info.history_size_bytes,
    )


def _may_be_lost(activity: PendingActivityInfo) -> bool:
    """True from the third attempt on, if the one before ended without a word of its worker."""
    failure = activity.last_failure
    silent = failure.HasField("timeout_failure_info") or (
        failure.application_failure_info.type in {ErrorType.SUSPECT_WAITS, ErrorType.WORKER_LATE}
    )
    return activity.attempt >= _SECOND_LOSS and silent


def status_of(status: WorkflowExecutionStatus | None, memo: RunMemo) -> RunStatus:
    """The run's status: the execution's, refined by the memo."""
    kinds = WorkflowExecutionStatus
    match status:
        case kinds.TERMINATED:
            return RunStatus.TERMINATED
        case kinds.TIMED_OUT:
            return RunStatus.TIMED_OUT
        case kinds.CANCELED:
            return RunStatus.CANCELLED
        case kinds.FAILED:
            return RunStatus.FAILED
        case kinds.COMPLETED:
            return memo.status if memo.status.ended else RunStatus.COMPLETED
        case _:
            return memo.status


def _waited_s(task: PendingWorkflowTaskInfo, waiting: Iterable[PendingActivityInfo]) -> float:
    """Seconds that the oldest task has waited; 0 if there is none."""
    waiting_since = [
        activity.next_attempt_schedule_time
        if activity.HasField("next_attempt_schedule_time")
        else activity.scheduled_time
        for activity in waiting
    ]
    if task.attempt:  # also one that a dead worker holds: tasks take milliseconds
        waiting_since.append(task.original_scheduled_time)
    now = datetime.now(UTC)
    return max(
        0.0, *((now - moment.ToDatetime(UTC)).total_seconds() for moment in waiting_since), 0.0
    )


def first_status(run: RunInput) -> RunStatus:
    """The status of the run until a worker takes it up."""
    return RunStatus.SCHEDULED if run.start_at else RunStatus.QUEUED


def priority_of(run: RunInput) -> Priority:
    """The place of the run's tasks in every task queue; its activities inherit it."""
    return Priority(priority_key=run.priority, fairness_key=fairness_of(run))


def fairness_of(run: RunInput) -> str:
    """The run's key, else its tenant; by digest if it is longer than Temporal takes."""
    key = run.fairness_key or run.tenant
    if len(encoded := key.encode()) <= MAX_FAIRNESS_BYTES:
        return key
    return hashlib.sha256(encoded).hexdigest()


SUMMARY_BYTES = 200
PREVIEW_CHARS = 500


def summary(run: RunInput) -> str:
    """`agent: prompt`, cut to what Temporal shows in a list."""
    line = f"{run.agent.name}: {' '.join(run.input[:SUMMARY_BYTES].split())}"
    if run.past and run.past.run_id:
        line = f"fork of {run.past.run_id} from step {run.past.step} · {line}"
    encoded = line.encode()
    if len(encoded) <= SUMMARY_BYTES:
        return line
    return encoded[: SUMMARY_BYTES - 3].decode(errors="ignore") + "…"


def details(run: RunInput, page_url: str = "") -> str:
    """Markdown for the Temporal Web UI; the prompt is quoted line by line.

    Args:
        run: The run.
        page_url: Address of our page, which the last line links to; empty: no such line.
    """
    text = run.input[:PREVIEW_CHARS] + ("…" if len(run.input) > PREVIEW_CHARS else "")
    quoted = "\n".join(f"> {code_span(line)}\\" for line in text.splitlines() if line.strip())
    model = code_span(run.agent.model)
    page = f"\n\n[watch and steer it]({page_url.rstrip('/')}/runs/{run.run_id})" if page_url else ""
    return f"agent **{run.agent.name}** · model {model}\n\n{quoted.removesuffix(chr(92))}{page}"
