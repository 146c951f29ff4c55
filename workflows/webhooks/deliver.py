"""The workflow that tells one receiver; there is one per receiver while something is due for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.activities.webhook import WebhookActivities
    from relayline.contracts.webhooks import DELIVER_WORKFLOW, DeliverRequest
    from relayline.workflows import policy

ROUNDS = 200
"""Rounds of one execution; then it continues as new."""


@workflow.defn(name=DELIVER_WORKFLOW)
class DeliverWebhook:
    """Tries what is due, sleeps until more is, and ends when nothing is left.

    What is due is in the journal: this workflow only sees to it that one worker at a time tells the
    receiver, and that somebody does whoever dies.
    """

    @workflow.init
    def __init__(self, request: DeliverRequest) -> None:
        self._woken = False

    @workflow.signal
    def wake(self) -> None:
        """Something may be due earlier than it was."""
        self._woken = True

    @workflow.run
    async def run(self, request: DeliverRequest) -> None:
        """Tell the receiver until nothing is left."""
        for _ in range(ROUNDS):
            self._woken = False
            done = await workflow.execute_activity_method(
                WebhookActivities.tell_receiver,
                request,
                start_to_close_timeout=policy.TELL_TIMEOUT,
                heartbeat_timeout=policy.HOUSEKEEPING_HEARTBEAT,
                retry_policy=policy.RECORD_RETRY,
            )
            if self._woken:
                continue
            if done.next_at is None:
                return
            pause = max(done.next_at - workflow.now(), timedelta())
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: self._woken, timeout=pause, timeout_summary="until the next is due"
                )
        workflow.continue_as_new(request)
