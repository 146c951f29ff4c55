"""The workflow of a batch: it starts the runs, some at a time, and cancels them if it is told."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.activities.batches import BatchActivities
    from relayline.contracts.submissions.batches import (
        BatchCancel,
        BatchRequested,
        ChunkCancel,
        ChunkCancelled,
        ChunkStarted,
    )
    from relayline.workflows import policy


@workflow.defn
class Batch:
    """Starts each run of a batch once, whoever dies; over when all have started.

    A cancel begins one again that is over. The journal has the runs, the workflow only the batch's
    id: so its history is short, whatever the runs are.
    """

    @workflow.init
    def __init__(self, request: BatchRequested) -> None:
        self._batch_id = request.batch_id
        self._cancels: list[BatchCancel] = []

    @workflow.run
    async def run(self, request: BatchRequested) -> None:
        """Start the runs, then carry out the cancels."""
        left = True
        while left or self._cancels:
            if self._cancels:
                await self._cancel_all(self._cancels.pop(0))
                left = False  # a cancel starts what it finds, so that it ends at once
            else:
                left = (await self._start_chunk()).left

    @workflow.signal
    def cancel(self, cancel: BatchCancel) -> None:
        """Cancel every run that has not ended."""
        self._cancels.append(cancel)

    async def _start_chunk(self) -> ChunkStarted:
        return await workflow.execute_activity_method(
            BatchActivities.start_chunk,
            BatchRequested(batch_id=self._batch_id),
            start_to_close_timeout=policy.HOUSEKEEPING_TIMEOUT,
            heartbeat_timeout=policy.HOUSEKEEPING_HEARTBEAT,
            retry_policy=policy.RECORD_RETRY,
        )

    async def _cancel_all(self, cancel: BatchCancel) -> None:
        """Send every open run the cancel, in the order of the list."""
        chunk = ChunkCancel(batch_id=self._batch_id, cancel=cancel)
        while True:
            done = await self._cancel_chunk(chunk)
            if not done.left:
                return
            chunk = chunk.model_copy(update={"before": done.before})

    async def _cancel_chunk(self, chunk: ChunkCancel) -> ChunkCancelled:
        return await workflow.execute_activity_method(
            BatchActivities.cancel_chunk,
            chunk,
            start_to_close_timeout=policy.HOUSEKEEPING_TIMEOUT,
            heartbeat_timeout=policy.HOUSEKEEPING_HEARTBEAT,
            retry_policy=policy.RECORD_RETRY,
        )
