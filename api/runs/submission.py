"""Submits runs: checks the request, assigns an id, starts the run once."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from temporalio.exceptions import WorkflowAlreadyStartedError

from relayline.api.bodies import RunRequest
from relayline.api.errors import KeyReused, RunGone, TemporalUnavailable
from relayline.api.runs.admission.earlier import EarlierRuns
from relayline.api.runs.admission.erased import check_tenant
from relayline.api.runs.admission.quotas import RunQuotas
from relayline.api.runs.admission.repeats import is_same
from relayline.api.runs.files.given_parts import GivenParts
from relayline.api.runs.owners import seen_by
from relayline.api.runs.receivers import NamedReceivers
from relayline.api.runs.validation import RunValidator
from relayline.api.runs.views import Views
from relayline.api.serving.metrics import Metrics
from relayline.api.signing.ids import KeyedIds
from relayline.api.temporal.execution import Execution
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.access.audit import Action
from relayline.contracts.answers import Links, RunAccepted
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.principals import ANYBODY, Principal
from relayline.contracts.runs import RunInput, RunStatus
from relayline.journal.access.audit import AuditRow
from relayline.journal.port import JournalError, RunEnded, RunErased
from relayline.journal.table import EVERY, Storage

if TYPE_CHECKING:  # workers submit runs, too, and have no use for a web framework
    from relayline.api.auth.trail import Trail

TELL_S = 1.0
"""The most that a submission waits for the journal, which does not decide whether it is accepted.
"""
_log = logging.getLogger(__name__)


class PreparedRun(NamedTuple):
    """A run that is ready to start."""

    request: RunRequest | None
    """None: the run is a fork."""
    run: RunInput
    key: str | None
    """The `Idempotency-Key`; without one, no earlier request can have started this run."""
    submitted_at: datetime
    links: Links
    trail: Trail | None
    """Who writes its row in the audit log; None: it has none."""

    def row(self, outcome: str) -> AuditRow | None:
        """Its row in the audit log."""
        if self.trail is None:
            return None
        return self.trail.row(Action.RUN_SUBMIT, self.run.run_id, outcome)


class Submitted(NamedTuple):
    """A submitted run."""

    accepted: RunAccepted
    new: bool
    """False when the same key and body started it before."""


class Submission:
    """Starts each run once."""

    def __init__(  # noqa: PLR0913, PLR0917  its parts
        self,
        validator: RunValidator,
        storage: Storage,
        gateway: Gateway,
        views: Views,
        metrics: Metrics,
        receivers: NamedReceivers,
        quotas: RunQuotas,
        ids: KeyedIds,
        parts: GivenParts,
    ) -> None:
        self._parts = parts
        self._ids = ids
        self._earlier = EarlierRuns(ids, storage, gateway)
        self._validator = validator
        self._storage = storage
        self._gateway = gateway
        self._views = views
        self._started = metrics.runs_submitted
        self._receivers = receivers
        self._quotas = quotas

    async def submit(
        self,
        request: RunRequest,
        key: str | None,
        sender: Principal = ANYBODY,
        trail: Trail | None = None,
    ) -> Submitted:
        """Start the run, or find the one that the same key started; returns its status and links.

        Raises:
            ApiError: as `prepare` and `start`; for a run started before, also as `Views.find`.
        """
        prepared = await self.prepare(request, key, sender, trail)
        new = await self.start(prepared)
        run_id = prepared.run.run_id
        status = RunStatus.SCHEDULED if prepared.run.start_at else RunStatus.QUEUED
        if not new:
            status = (await self._views.find(EVERY, run_id)).status
        return Submitted(RunAccepted(run_id=run_id, status=status, links=prepared.links), new)

    async def prepare(
        self,
        request: RunRequest,
        key: str | None,
        sender: Principal = ANYBODY,
        trail: Trail | None = None,
    ) -> PreparedRun:
        """Check the request and assign the run's id: that of the run that the key has started.

        Raises:
            Forbidden, InvalidField, TooLarge: as `RunValidator.check` and `GivenParts.of_run`.
            TenantGone: the key of the tenant was erased.
            JournalUnavailable, TemporalUnavailable: it can't be said whether the key has started
                one under an older id.
        """
        now = datetime.now(UTC)
        await self._validator.fresh(request.agent)
        check = partial(self._validator.check, request, self._ids.run(key, sender), now, sender)
        # checking a schema may take a while, and must not hold up streams
        run = await asyncio.to_thread(check) if request.output_schema else check()
        await check_tenant(self._storage, run.tenant)
        if key is not None and (earlier := await self._earlier.find(key, sender)):
            run = run.model_copy(update={"run_id": earlier})
        run = await self._parts.of_run(seen_by(sender), run)
        return PreparedRun(request, run, key, now, self._views.links(run.run_id), trail)

    async def id_of(self, key: str | None, sender: Principal) -> tuple[str, bool]:
        """The id of a run with that key, and whether lists have it already.

        Raises:
            RunGone: it was there, and was erased.
            JournalUnavailable, TemporalUnavailable: as `prepare`.
        """
        if key is None:
            return self._ids.run(None, sender), False
        run_id = await self._earlier.find(key, sender) or self._ids.run(key, sender)
        return run_id, await self._is_known(run_id)

    async def with_files(self, run: RunInput, sender: Principal, field: str) -> RunInput:
        """The run with what is known of its files, which live as long as it from then on.

        Raises:
            InvalidField, JournalUnavailable: as `GivenParts.of_run`.
        """
        return await self._parts.of_run(seen_by(sender), run, field)

    async def check_tenant(self, tenant: str) -> None:
        """Return if something may be submitted for the tenant.

        Raises:
            TenantGone: its key was erased.
        """
        await check_tenant(self._storage, tenant)

    async def start(self, prepared: PreparedRun) -> bool:
        """Start the run; False if the same key and body started it before.

        When this returns, lists have the run, unless the journal does not answer: the run's first
        activity repeats the fact.

        Raises:
            KeyReused: the key was used with another request.
            RunGone: the run that the key started was erased.
            TemporalUnavailable: the run may not have started; retry with the same key.
            InvalidField, JournalUnavailable: as `NamedReceivers.ensure`, if it names one.
            QuotaExceeded, InvalidField: as `RunQuotas.admitted`; a run that is there is not asked.
        """
        run = prepared.run
        known = prepared.key is not None and await self._is_known(run.run_id)
        if not known:
            if prepared.request and prepared.request.webhook:
                await self._receivers.ensure(prepared.request.webhook, run.tenant)
            async with self._quotas.admitted([run]):
                if await self._begin(prepared):
                    return True
        execution = await self._execution(run.run_id)
        if not await is_same(self._storage, prepared.request, run, execution):
            raise KeyReused(
                f"this Idempotency-Key started {run.run_id} with another body; use a new key",
                run_id=run.run_id,
            )
        if not known and execution:  # whoever started it may have died before it could tell
            await self._tell(run, execution.submitted_at)
        if prepared.trail and (row := prepared.row("repeated")):
            await prepared.trail.log.record(row)
        return False

    async def _begin(self, prepared: PreparedRun) -> bool:
        """Start the run, and tell of it; False if Temporal has it already."""
        run, at = prepared.run, prepared.submitted_at
        try:
            if prepared.key is None:
                await self._start_new(prepared)
            else:  # told afterwards, or a request with another body could tell of this run
                await self._gateway.start(run, at)
                await self._tell(run, at, prepared)
        except WorkflowAlreadyStartedError:
            return False
        self._started.inc()
        return True

    async def _start_new(self, prepared: PreparedRun) -> None:
        """Start a run whose id nobody else has, and tell of it meanwhile.

        A run that may not have started is withdrawn: if it has, its first activity tells again.
        """
        run, submitted_at = prepared.run, prepared.submitted_at
        telling = asyncio.create_task(self._tell(run, submitted_at, prepared))
        try:
            await self._gateway.start(run, submitted_at)
        except WorkflowAlreadyStartedError:  # by an earlier try of the same call
            await telling
            raise
        except BaseException:
            await telling
            await self._withdraw(run.run_id)
            if prepared.trail and (row := prepared.row("failed")):
                prepared.trail.log.record_later(row)
            raise
        await telling

    async def _is_known(self, run_id: str) -> bool:
        """True if the journal has the run of a key.

        Raises:
            RunGone: it was erased; the same key starts no other.
        """
        try:
            return await self._storage.head(EVERY, run_id) is not None
        except RunErased as error:
            raise RunGone(run_id) from error

    async def _tell(
        self, run: RunInput, submitted_at: datetime, prepared: PreparedRun | None = None
    ) -> None:
        """Append `run.queued`; a journal that does not answer holds up no submission for long.

        A submission that has just been accepted gets its row in the audit log with it.
        """
        fact = NewEvent(key=QUEUED_KEY, body=run_queued(run, submitted_at))
        row = prepared.row("accepted") if prepared else None
        try:
            async with asyncio.timeout(TELL_S):
                await self._append(run.run_id, fact, row)
        except RunEnded:  # by a worker of an older version, which does not write this fact
            if prepared and prepared.trail and row:
                await prepared.trail.log.record(row)
        except (JournalError, TimeoutError) as error:
            why = {"run_id": run.run_id, "reason": str(error) or "it took too long"}
            _log.warning("a submitted run is not in the lists yet", extra=why)
            if prepared and prepared.trail and row:
                await prepared.trail.log.spool(row)
        else:
            if prepared and prepared.trail and row:
                prepared.trail.log.stored(row)

    async def _append(self, run_id: str, fact: NewEvent, row: AuditRow | None) -> None:
        if row is None:
            await self._storage.append(run_id, [fact])
        else:
            await self._storage.append_audited(run_id, [fact], [row])

    async def _withdraw(self, run_id: str) -> None:
        """Remove `run.queued`; where that fails, housekeeping does it."""
        try:
            async with asyncio.timeout(TELL_S):
                await self._storage.withdraw(run_id)
        except (JournalError, TimeoutError) as error:
            why = {"run_id": run_id, "reason": str(error) or "it took too long"}
            _log.warning("a run that did not start is in the lists for a while", extra=why)

    async def _execution(self, run_id: str) -> Execution | None:
        """The run as Temporal knows it; None if only the journal does, or can be asked."""
        try:
            return await self._gateway.execution(run_id)
        except TemporalUnavailable:
            if not await self._is_known(run_id):
                raise
            return None
