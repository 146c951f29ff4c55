"""Batches: stores many runs together, has them started, and tells how far they are."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from relayline.api.bodies import BatchRequest
from relayline.api.command_bodies import CancelRequest
from relayline.api.errors import KeyReused, TemporalUnavailable, UnknownBatch
from relayline.api.runs.admission.batch_checks import BatchChecks, Submitting
from relayline.api.runs.admission.erased import check_tenant
from relayline.api.runs.admission.quotas import RunQuotas
from relayline.api.runs.owners import seen_by
from relayline.api.serving.metrics import Metrics
from relayline.api.signing.cursors import ListOf, pattern_of
from relayline.api.signing.parts import Signing
from relayline.api.temporal.submissions import BatchGateway
from relayline.contracts.calls import agent_sha256
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.envelope import NewEvent, moment
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.principals import ANYBODY, Principal
from relayline.contracts.runs import DEFAULT_TENANT, RunInput, RunStatus
from relayline.contracts.submissions.batches import (
    BATCH_ID_PATTERN,
    CHUNK,
    BatchAccepted,
    BatchCancel,
    BatchLinks,
    BatchList,
    BatchListItem,
    BatchView,
    StoredBatch,
)
from relayline.journal.batches import BatchPlace, BatchRow
from relayline.journal.port import JournalError
from relayline.journal.table import EVERY, RunFilter, Storage, Tenant

_CURSOR = pattern_of(BATCH_ID_PATTERN)
_log = logging.getLogger(__name__)


class Submitted(NamedTuple):
    """A batch that is stored."""

    accepted: BatchAccepted
    new: bool
    """False when the same key and body stored it before."""


class RunBatches:
    """Accepts each batch once, whole, and has it started."""

    def __init__(  # noqa: PLR0913, PLR0917  its parts
        self,
        checks: BatchChecks,
        storage: Storage,
        gateway: BatchGateway,
        metrics: Metrics,
        quotas: RunQuotas,
        signing: Signing,
    ) -> None:
        self._ids = signing.ids
        self._cursors = signing.cursors
        self._proofs = signing.proofs
        self._checks = checks
        self._quotas = quotas
        self._storage = storage
        self._gateway = gateway
        self._started = metrics.runs_submitted

    async def submit(
        self, request: BatchRequest, key: str | None, sender: Principal = ANYBODY
    ) -> Submitted:
        """Store the batch, or find the one that the same key stored.

        When this returns, its runs will start whatever dies, and lists have them unless the journal
        stops to answer meanwhile. Temporal need not answer.

        Raises:
            KeyReused: the key was used with another request.
            JournalUnavailable: it is stored wholly or not at all; retry with the same key.
            TenantGone: the key of a tenant was erased.
            QuotaExceeded: all its runs together are more than the tenant may have.
        """
        batch_id, created_at = await self._batch_id(key, sender), datetime.now(UTC)
        submitting = Submitting(batch_id, created_at, sender)
        checked = await self._checks.check(request, submitting)
        tenants = {run.tenant for run in checked.runs}
        for tenant in tenants:
            await check_tenant(self._storage, tenant)
        batch = StoredBatch(
            batch_id=batch_id,
            tenant=tenants.pop() if len(tenants) == 1 else sender.tenant or DEFAULT_TENANT,
            request_sha256=checked.sha256,
            created_at=created_at,
            accepted=tuple(checked.accepted),
            rejected=tuple(checked.rejected),
            agents={agent_sha256(run.agent): run.agent for run in checked.runs},
        )
        if new := await self._store(batch, checked.runs):
            self._started.inc(len(checked.runs))
        else:
            batch = await self._same(batch)
        if await self._storage.pending_starts(EVERY, batch_id, 1):
            await self._start(batch_id)
        return Submitted(_receipt(batch), new)

    async def _batch_id(self, key: str | None, sender: Principal) -> str:
        """The id of a new batch; that of the one that the key has stored under an older id."""
        if key is None:
            return self._ids.batch(None, sender)
        first, *older = self._ids.batches(key, sender)
        found = await asyncio.gather(*(self._storage.find_batch(EVERY, it) for it in older))
        theirs = (it.batch_id for it in found if it and it.tenant == sender.tenant)
        return next(theirs, first)

    async def _store(self, batch: StoredBatch, runs: Sequence[RunInput]) -> bool:
        """Store the batch; False if there is one with that id, which no quota refuses."""
        if await self._storage.find_batch(EVERY, batch.batch_id):
            return False
        async with self._quotas.admitted(runs):
            if not await self._storage.store_batch(batch, runs):
                return False
            await self._tell(runs, batch.created_at)
            return True

    async def page(self, tenant: Tenant, limit: int, cursor: str | None) -> BatchList:
        """At most `limit` batches after the cursor, newest first.

        Raises:
            BadRequest: it is not a cursor of this list.
        """
        of, before = ListOf("batches", tenant), None
        if cursor is not None:
            created_us, batch_id = self._cursors.decode(of, cursor, _CURSOR)
            before = BatchPlace(int(created_us), batch_id)
        found = await self._storage.batches(tenant, limit + 1, before)
        rows = found[:limit]
        counts = await asyncio.gather(*(self._counts(tenant, row.batch_id) for row in rows))
        following = self._cursors.encode(of, *rows[-1].place) if len(found) > limit else None
        return BatchList(batches=tuple(map(_item, rows, counts)), cursor=following)

    async def _counts(self, tenant: Tenant, batch_id: str) -> dict[RunStatus, int]:
        """How many runs of the batch there are, by status."""
        return dict(await self._storage.count_runs(tenant, RunFilter(batch=batch_id)))

    async def find(self, tenant: Tenant, batch_id: str) -> BatchView:
        """How far the batch is.

        Raises:
            UnknownBatch: that tenant has none with that id.
        """
        batch = await self._batch(tenant, batch_id)
        by_status = await self._counts(tenant, batch_id)
        return BatchView(
            batch_id=batch_id,
            created_at=batch.created_at,
            ended=all(status.ended for status in by_status),
            accepted=len(batch.accepted),
            rejected=batch.rejected,
            total=sum(by_status.values()),
            by_status=by_status,
            links=_links(batch_id),
        )

    async def cancel(
        self, sender: Principal, batch_id: str, asked: CancelRequest, key: str | None
    ) -> CommandReceipt:
        """Have every run of the batch cancelled that has not ended; each gets the same command.

        Raises:
            UnknownBatch: the sender's tenant has none with that id.
            TemporalUnavailable: it may not be cancelled; send it again with its id.
        """
        await self._batch(seen_by(sender), batch_id)
        command_id = asked.command_id or _command_id(batch_id, key)
        by, on_behalf_of = sender.speaks_as(asked.by)
        cancel = BatchCancel(
            command_id=command_id, by=by, on_behalf_of=on_behalf_of, reason=asked.reason
        )
        proof = self._proofs.sign_digest(batch_id, cancel.digest())
        await self._gateway.start(batch_id, cancel.model_copy(update={"proof": proof}))
        return CommandReceipt(command_id=command_id)

    async def _batch(self, tenant: Tenant, batch_id: str) -> StoredBatch:
        if batch := await self._storage.find_batch(tenant, batch_id):
            return batch
        raise UnknownBatch(f"no batch {batch_id[:100]!r}", batch_id=batch_id[:100])

    async def _same(self, batch: StoredBatch) -> StoredBatch:
        """The batch that the same request stored before."""
        earlier = await self._storage.find_batch(EVERY, batch.batch_id)
        if earlier and earlier.request_sha256 == batch.request_sha256:
            return earlier
        raise KeyReused(
            f"this Idempotency-Key submitted {batch.batch_id} with another body; use a new key",
            batch_id=batch.batch_id,
        )

    async def _tell(self, runs: Sequence[RunInput], submitted_at: datetime) -> None:
        """Append `run.queued` of each; in parts, so that the appends of others come between."""
        try:
            for first in range(0, len(runs), CHUNK):
                await asyncio.gather(
                    *(
                        self._storage.append(run.run_id, [_queued(run, submitted_at)])
                        for run in runs[first : first + CHUNK]
                    )
                )
        except JournalError as error:  # they are stored: whoever starts them tells, too
            _log.warning("some runs of a batch are not listed yet", extra={"reason": str(error)})

    async def _start(self, batch_id: str) -> None:
        try:
            await self._gateway.start(batch_id)
        except TemporalUnavailable as error:
            why = {"batch_id": batch_id, "reason": str(error)}
            _log.warning("a batch starts once Temporal answers", extra=why)


def _command_id(batch_id: str, key: str | None) -> str:
    if key is None:
        return f"cmd_{secrets.token_hex(16)}"
    return f"cmd_{hashlib.sha256(f'{batch_id}:cancel:{key}'.encode()).hexdigest()[:32]}"


def _queued(run: RunInput, submitted_at: datetime) -> NewEvent:
    return NewEvent(key=QUEUED_KEY, body=run_queued(run, submitted_at))


def _links(batch_id: str) -> BatchLinks:
    path = f"/v1/batches/{batch_id}"
    return BatchLinks(self=path, runs=f"/v1/runs?batch={batch_id}", cancel=f"{path}/cancel")


def _item(row: BatchRow, by_status: Mapping[RunStatus, int]) -> BatchListItem:
    return BatchListItem(
        batch_id=row.batch_id,
        created_at=moment(row.created_us),
        ended=all(status.ended for status in by_status),
        accepted=row.accepted,
        rejected=row.rejected,
        total=sum(by_status.values()),
        by_status=dict(by_status),
        links=_links(row.batch_id),
    )


def _receipt(batch: StoredBatch) -> BatchAccepted:
    return BatchAccepted(
        batch_id=batch.batch_id,
        accepted=batch.accepted,
        rejected=batch.rejected,
        links=_links(batch.batch_id),
    )
