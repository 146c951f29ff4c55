"""Submits runs: checks the request, assigns an id, starts the run once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time
from datetime import UTC, datetime
from typing import NamedTuple

from temporalio.exceptions import WorkflowAlreadyStartedError

from relayline.api.bodies import RunRequest
from relayline.api.errors import KeyReused, TemporalUnavailable
from relayline.api.runs.validation import RunValidator
from relayline.api.runs.views import Views
from relayline.api.serving.metrics import Metrics
from relayline.api.temporal.execution import Execution
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.answers import Links, RunAccepted
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunStarted, UserMessageEvent
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.runs import RunInput, RunStatus
from relayline.journal.port import CursorExpired, Journal, JournalError, RunEnded
from relayline.journal.table import EVERY

TELL_S = 1.0
"""The most that a submission waits for the journal, which does not decide whether it is accepted.
"""
_log = logging.getLogger(__name__)


class PreparedRun(NamedTuple):
    """A run that is ready to start."""

    request: RunRequest
    run: RunInput
    key: str | None
    """The `Idempotency-Key`; without one, no earlier request can have started this run."""
    submitted_at: datetime
    links: Links


class Submitted(NamedTuple):
    """A submitted run."""

    accepted: RunAccepted
    new: bool
    """False when the same key and body started it before."""


class Submission:
    """Starts each run once."""

    def __init__(
        self,
        validator: RunValidator,
        journal: Journal,
        gateway: Gateway,
        views: Views,
        metrics: Metrics,
    ) -> None:
        self._validator = validator
        self._journal = journal
        self._gateway = gateway
        self._views = views
        self._started = metrics.runs_submitted

    async def submit(self, request: RunRequest, key: str | None) -> Submitted:
        """Start the run, or find the one that the same key started; returns its status and links.

        Raises:
            ApiError: as `prepare` and `start`; for a run started before, also as `Views.find`.
        """
        prepared = self.prepare(request, key)
        new = await self.start(prepared)
        run_id, status = prepared.run.run_id, RunStatus.QUEUED
        if not new:
            status = (await self._views.find(EVERY, run_id)).status
        return Submitted(RunAccepted(run_id=run_id, status=status, links=prepared.links), new)

    def prepare(self, request: RunRequest, key: str | None) -> PreparedRun:
        """Check the request and assign the run's id.

        Raises:
            InvalidField, TooLarge: as `RunValidator.check`.
        """
        run = self._validator.check(request, new_run_id(key))
        return PreparedRun(request, run, key, datetime.now(UTC), self._views.links(run.run_id))

    async def start(self, prepared: PreparedRun) -> bool:
        """Start the run; False if the same key and body started it before.

        When this returns, lists have the run, unless the journal does not answer: the run's first
        activity repeats the fact.

        Raises:
            KeyReused: the key was used with another request.
            TemporalUnavailable: the run may not have started; retry with the same key.
        """
        run = prepared.run
        known = prepared.key is not None and await self._journal.head(run.run_id) is not None
        if not known:
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await self._gateway.start(run, prepared.submitted_at)
                self._started.inc()
                await self._tell(run, prepared.submitted_at)
                return True
        execution = await self._execution(run.run_id)
        if not await self._is_same(prepared, execution):
            raise KeyReused(
                f"this Idempotency-Key started {run.run_id} with another body; use a new key",
                run_id=run.run_id,
            )
        if not known and execution:  # whoever started it may have died before it could tell
            await self._tell(run, execution.submitted_at)
        return False

    async def _tell(self, run: RunInput, submitted_at: datetime) -> None:
        """Append `run.queued`; a journal that does not answer holds up no submission for long."""
        fact = NewEvent(key=QUEUED_KEY, body=run_queued(run, submitted_at))
        try:
            async with asyncio.timeout(TELL_S):
                await self._journal.append(run.run_id, [fact])
        except RunEnded:  # by a worker of an older version, which does not write this fact
            return
        except (JournalError, TimeoutError) as error:
            why = {"run_id": run.run_id, "reason": str(error) or "it took too long"}
            _log.warning("a submitted run is not in the lists yet", extra=why)

    async def _execution(self, run_id: str) -> Execution | None:
        """The run as Temporal knows it; None if only the journal does, or can be asked."""
        try:
            return await self._gateway.execution(run_id)
        except TemporalUnavailable:
            if await self._journal.head(run_id) is None:
                raise
            return None

    async def _is_same(self, prepared: PreparedRun, execution: Execution | None) -> bool:
        """True when the same request started the run with that id."""
        if execution and execution.request:
            return execution.request.request_sha256 == prepared.run.request_sha256
        return await self._same_in_journal(prepared.request, prepared.run.run_id)

    async def _same_in_journal(self, request: RunRequest, run_id: str) -> bool:
        """Compare with the run's first facts; True if they were swept.

        For runs that Temporal has forgotten: a second run would be worse than a lenient answer.
        """
        try:
            facts = [fact.body() for fact in await self._journal.read(run_id, 0, 3, facts=True)]
        except CursorExpired:
            return True
        for body in facts:
            if isinstance(body, UserMessageEvent) and body.text != request.input:
                return False
            if isinstance(body, RunStarted) and not _same_start(request, body):
                return False
        return True


def new_run_id(key: str | None) -> str:
    """`run_` and 32 hex digits: a hash of the key if there is one, else sortable by time."""
    if key is not None:
        return f"run_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    return f"run_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def _same_start(request: RunRequest, started: RunStarted) -> bool:
    asked = request.limits.model_dump(exclude_unset=True) if request.limits else {}
    given = started.limits.model_dump()
    return (
        request.agent == started.agent
        and request.model in {None, started.model}
        and (request.metadata or {}) == (started.metadata or {})
        and all(given[name] == value for name, value in asked.items())
    )
