"""Checks the runs of a batch, each by itself."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from relayline.api.bodies import BatchRequest, RunWebhook
from relayline.api.documents import document_of
from relayline.api.errors import ApiError, InvalidField
from relayline.api.runs.admission.quotas import RunQuotas
from relayline.api.runs.files.given_parts import GivenParts
from relayline.api.runs.owners import seen_by
from relayline.api.runs.receivers import NamedReceivers
from relayline.api.runs.validation import RunValidator, run_request
from relayline.contracts.principals import Principal
from relayline.contracts.runs import RunInput
from relayline.contracts.submissions.batches import AcceptedRun, RejectedRun


class Submitting(NamedTuple):
    """A batch that is being submitted."""

    batch_id: str
    created_at: datetime
    sender: Principal


class CheckedBatch(NamedTuple):
    """The runs of a request: those that will start, and the reasons of the others."""

    runs: Sequence[RunInput]
    accepted: Sequence[AcceptedRun]
    rejected: Sequence[RejectedRun]
    webhooks: Sequence[RunWebhook | None]
    """Whom each of the runs names, before any is rejected for it."""
    sha256: str
    """Digest of the request."""


class BatchChecks:
    """What each run of a batch must be, as if it came alone."""

    def __init__(
        self,
        validator: RunValidator,
        receivers: NamedReceivers,
        quotas: RunQuotas,
        parts: GivenParts,
    ) -> None:
        self._parts = parts
        self._validator = validator
        self._receivers = receivers
        self._quotas = quotas

    async def check(self, request: BatchRequest, submitting: Submitting) -> CheckedBatch:
        """The runs that will start, with the receivers that they name; why the others won't.

        Raises:
            JournalUnavailable: it can't be said whether a receiver is there.
        """
        await self._validator.fresh()
        checked = await asyncio.to_thread(self._check, request, submitting)
        return await self._with_receivers(await self._with_files(checked, submitting.sender))

    def _check(self, request: BatchRequest, submitting: Submitting) -> CheckedBatch:
        """Check every run by itself; takes a while for a large batch."""
        runs: list[RunInput] = []
        accepted, rejected, webhooks = [], [], []
        for index, body in enumerate(request.runs):
            run_id = _run_id(submitting.batch_id, index)
            try:
                run, webhook = self._run(_with_defaults(body, request), run_id, submitting)
            except ApiError as error:
                rejected.append(RejectedRun(index=index, problem=document_of(error)))
            else:
                runs.append(run.model_copy(update={"batch": submitting.batch_id}))
                accepted.append(AcceptedRun(index=index, run_id=run_id))
                webhooks.append(webhook)
        return CheckedBatch(runs, accepted, rejected, webhooks, _digest(request))

    async def _with_files(self, checked: CheckedBatch, sender: Principal) -> CheckedBatch:
        """Look up the files that runs name; reject those of which one is missing."""
        kept, rejected, tenant = [], [*checked.rejected], seen_by(sender)
        for run, place, webhook in zip(
            checked.runs, checked.accepted, checked.webhooks, strict=True
        ):
            try:
                kept.append((await self._parts.of_run(tenant, run), place, webhook))
            except InvalidField as error:
                rejected.append(RejectedRun(index=place.index, problem=document_of(error)))
        runs, accepted, webhooks = map(list, zip(*kept, strict=True)) if kept else ([], [], [])
        return CheckedBatch(runs, accepted, rejected, webhooks, checked.sha256)

    async def _with_receivers(self, checked: CheckedBatch) -> CheckedBatch:
        """Find or add the receivers that runs name; reject what the tenants may not use."""
        unusable = await self._quotas.refusals(checked.runs)
        named = {
            (run.tenant, run.webhook): webhook
            for run, webhook in zip(checked.runs, checked.webhooks, strict=True)
            if webhook
        }
        refusals = [self._refusal(webhook, tenant) for (tenant, _), webhook in named.items()]
        refused = dict(zip(named, await asyncio.gather(*refusals), strict=True))
        runs: list[RunInput] = []
        accepted, rejected = [], [*checked.rejected]
        for run, place in zip(checked.runs, checked.accepted, strict=True):
            receiver = (run.tenant, run.webhook)
            if error := unusable.get(run.run_id) or refused.get(receiver):
                rejected.append(RejectedRun(index=place.index, problem=document_of(error)))
            else:
                runs.append(run)
                accepted.append(place)
        rejected.sort(key=lambda it: it.index)
        return checked._replace(runs=runs, accepted=accepted, rejected=rejected)

    async def _refusal(self, webhook: RunWebhook, tenant: str) -> InvalidField | None:
        try:
            await self._receivers.ensure(webhook, tenant)
        except InvalidField as error:
            return error
        return None

    def _run(
        self, body: object, run_id: str, submitting: Submitting
    ) -> tuple[RunInput, RunWebhook | None]:
        request = run_request(body)
        _, now, sender = submitting
        return self._validator.check(request, run_id, now, sender), request.webhook


def _run_id(batch_id: str, index: int) -> str:
    """Differs from the ids that an `Idempotency-Key` gives: no header has a NUL."""
    named = f"{batch_id}\0{index}".encode()
    return f"run_{hashlib.sha256(named).hexdigest()[:32]}"


def _with_defaults(body: object, request: BatchRequest) -> object:
    """The body with what all runs share, where it has nothing of its own."""
    if not isinstance(body, Mapping):
        return body
    fields: dict[str, Any] = dict(body)
    if request.priority is not None and fields.get("priority") is None:
        fields["priority"] = request.priority
    own = fields.get("metadata")
    if request.metadata and (own is None or isinstance(own, Mapping)):
        fields["metadata"] = {**request.metadata, **(own or {})}
    return fields


def _digest(request: BatchRequest) -> str:
    """SHA-256 of the request in canonical JSON."""
    given = {"runs": request.runs, "priority": request.priority, "metadata": request.metadata}
    canonical = json.dumps(given, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
