"""A worker process's part in webhooks: it tells receivers, and notices what must be told."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError
from temporalio.worker import WorkerDeploymentConfig

from relayline.activities.webhook import Patience, WebhookActivities
from relayline.contracts.webhooks import WEBHOOKS_QUEUE, DeliverRequest, deliver_workflow_id
from relayline.journal.port import JournalUnavailable, Unreadable
from relayline.journal.rows import now_us
from relayline.journal.table import Storage
from relayline.journal.webhooks import Webhooks
from relayline.outbound.metrics import WebhookMetrics
from relayline.outbound.sender import Sender
from relayline.runtime.settings import Settings
from relayline.side_worker import Duty, in_background, side_worker
from relayline.wiring import receiver_rules
from relayline.workflows.webhooks.deliver import DeliverWebhook

RECEIVERS = 100
"""Receivers that one worker tells at a time; each has a few tries under way."""
LOOK_S = 0.25
"""How often a worker looks for what must be told, with some jitter."""
TROUBLE_S = 2.0
"""The same while the journal or Temporal does not answer."""
AGAIN_S = 5.0
"""A receiver that is due is not called out again by the same worker for so long."""
BATCH = 200
MEASURE_S = 10.0
"""How often the backlog is read for metrics, by workers that show any."""
_RPC_TIMEOUT = timedelta(seconds=5)
_log = logging.getLogger(__name__)


@asynccontextmanager
async def telling(
    client: Client,
    storage: Storage,
    settings: Settings,
    deployment: WorkerDeploymentConfig | None = None,
    metrics: WebhookMetrics | None = None,
) -> AsyncIterator[None]:
    """Tell receivers, and notice what must be told, for as long as the block lasts.

    Args:
        client: Of the Temporal that has the runs.
        storage: The journal, with the outbox.
        settings: Which receivers may be reached, and when they are tried again.
        deployment: The build of the worker; None without versioning.
        metrics: Of this worker.
    """
    metrics = metrics or WebhookMetrics()
    sender = Sender(receiver_rules(settings))
    patience = Patience(
        settings.webhook_retry_s, settings.webhook_give_up_s, settings.webhook_rest_s
    )
    activities = WebhookActivities(storage, sender, patience, metrics.count)
    duty = Duty(WEBHOOKS_QUEUE, [DeliverWebhook], [activities.tell_receiver], RECEIVERS)
    worker = side_worker(client, duty, deployment)
    shown = settings.worker_port != 0  # else nobody can ask for them
    measured = measuring(storage.webhooks, metrics) if shown else nullcontext()
    async with worker, noticing(client, storage.webhooks), measured:
        yield


def measuring(webhooks: Webhooks, metrics: WebhookMetrics) -> AbstractAsyncContextManager[None]:
    """Read the backlog for the metrics every `MEASURE_S`, in the background of the block."""
    return in_background(_measure(webhooks, metrics), "measure webhooks")


async def _measure(webhooks: Webhooks, metrics: WebhookMetrics) -> None:
    while True:
        try:
            metrics.show(await webhooks.backlog())
        except JournalUnavailable:  # the noticing has logged it
            metrics.show(None)
        await asyncio.sleep(MEASURE_S)


def noticing(client: Client, webhooks: Webhooks) -> AbstractAsyncContextManager[None]:
    """Plan what facts have noted and call out whoever is due, in the background of the block.

    Every worker does this. Two that do it at the same time do nothing twice; and what one has left
    undone when it died, another finds in the journal.
    """
    return in_background(_Noticing(client, webhooks).run(), "notice webhooks")


class _Noticing:
    """Looks again and again."""

    def __init__(self, client: Client, webhooks: Webhooks) -> None:
        self._client = client
        self._webhooks = webhooks
        self._called: dict[str, float] = {}

    async def run(self) -> None:
        """Look until cancelled; trouble is logged once until it is over."""
        troubled = False
        while True:
            try:
                await self._look()
            except (JournalUnavailable, RPCError) as error:
                if not troubled:
                    why = {"reason": str(error)}
                    _log.warning("receivers of webhooks are not told, retrying", extra=why)
                troubled = True
                await asyncio.sleep(TROUBLE_S)
            else:
                troubled = False
                await asyncio.sleep(LOOK_S * random.uniform(0.8, 1.2))  # noqa: S311

    async def _look(self) -> None:
        planned, unreadable = 0, None
        try:
            while (planned := await self._webhooks.plan(BATCH)) == BATCH:
                pass
        except Unreadable as error:  # one tenant's: the others are told
            unreadable = error
        await self._call_due(planned)
        if unreadable:
            raise unreadable

    async def _call_due(self, planned: int) -> None:
        """Call out those for whom something is due; again at once if there is something new.

        Raises:
            RPCError: Temporal refused one; the others were called out.
            JournalUnavailable: it can't be said who is due.
        """
        now_s = time.monotonic()
        self._called = {id_: at for id_, at in self._called.items() if now_s - at < AGAIN_S}
        found = await self._webhooks.due(now_us(), BATCH)
        due = [webhook_id for webhook_id in found if planned or webhook_id not in self._called]
        done = await asyncio.gather(*map(self._call, due), return_exceptions=True)
        self._called |= {
            webhook_id: now_s for webhook_id, error in zip(due, done, strict=True) if not error
        }
        for error in filter(None, done):
            raise error

    async def _call(self, webhook_id: str) -> None:
        """Start the receiver's workflow, or wake it."""
        await self._client.start_workflow(
            DeliverWebhook.run,
            DeliverRequest(webhook_id=webhook_id),
            id=deliver_workflow_id(webhook_id),
            task_queue=WEBHOOKS_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="wake",
            rpc_timeout=_RPC_TIMEOUT,
        )
