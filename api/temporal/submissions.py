"""Starts and cancels batches in Temporal."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from relayline.api.temporal.deadline import with_deadline
from relayline.contracts.submissions.batches import SUBMISSIONS_QUEUE, BatchCancel, BatchRequested
from relayline.workflows.submissions.batch import Batch

START_S = 5.0
TASK_TIMEOUT = timedelta(seconds=5)
"""Timeout of a workflow task: a dead worker is noticed after this."""


class BatchGateway:
    """The workflows of batches; every call raises `TemporalUnavailable` without a timely answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def start(self, batch_id: str, cancel: BatchCancel | None = None) -> None:
        """Have the batch's runs started, or all of them cancelled; a batch at work continues."""
        starting = self._client.start_workflow(
            Batch.run,
            BatchRequested(batch_id=batch_id),
            id=batch_id,
            task_queue=SUBMISSIONS_QUEUE,
            task_timeout=TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="cancel" if cancel else None,
            start_signal_args=[cancel] if cancel else [],
            rpc_timeout=timedelta(seconds=START_S),
        )
        await with_deadline(START_S, starting)
