"""Forks runs: checks the request, and starts each fork once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from relayline.api.runs.forks.input import ForkInputs
from relayline.api.runs.forks.request import ForkRequest
from relayline.api.runs.forks.source import ForkSources
from relayline.api.runs.submission import PreparedRun, Submission
from relayline.api.runs.validation import digest
from relayline.api.runs.views import Views
from relayline.contracts.principals import Principal
from relayline.contracts.runs import AgentSpec, ForkedFrom, Past, RunInput, RunStatus
from relayline.contracts.submissions.forks import ForkAccepted
from relayline.journal.table import EVERY, Tenant

if TYPE_CHECKING:
    from relayline.api.auth.trail import Trail


class Asked(NamedTuple):
    """A fork that is asked for."""

    tenant: Tenant
    """Whose runs the sender may see."""
    run_id: str
    """The run."""
    request: ForkRequest
    key: str | None
    """The `Idempotency-Key`."""
    sender: Principal
    trail: Trail | None


class Forks:
    """Starts each fork once.

    Only the fork's workflow is started here. Its first activity takes over the past, so that
    whoever dies meanwhile leaves no fork with half of it.
    """

    def __init__(
        self, sources: ForkSources, inputs: ForkInputs, submission: Submission, views: Views
    ) -> None:
        self._sources = sources
        self._inputs = inputs
        self._submission = submission
        self._views = views

    async def fork(self, asked: Asked) -> tuple[ForkAccepted, bool]:
        """Start the fork, or find the one that the same key has started; True if it is new.

        A repeated request is answered whatever has become of the run meanwhile.

        Raises:
            ApiError: as `ForkSources.read`, `ForkInputs.make` and `Submission.start`.
            TenantGone: the key of the tenant was erased.
        """
        prepared = await self._prepare(asked)
        run = prepared.run
        new = await self._submission.start(prepared)
        status, source = RunStatus.QUEUED, run.past.source if run.past else None
        if not new:
            view = await self._views.find(EVERY, run.run_id)
            status, source = view.status, view.forked_from or source
        accepted = ForkAccepted(
            run_id=run.run_id,
            status=status,
            links=prepared.links,
            forked_from=source or ForkedFrom(run_id=asked.run_id, step=1, seq=0),
        )
        return accepted, new

    async def _prepare(self, asked: Asked) -> PreparedRun:
        """The fork, ready to start."""
        sha256 = digest(asked.request, fork_of=asked.run_id)
        fork_id, known = await self._submission.id_of(asked.key, asked.sender)
        if known:
            run = _known(fork_id, asked.run_id, sha256)
        else:
            source = await self._sources.read(asked.tenant, asked.run_id)
            await self._inputs.fresh(source.row.agent)
            making = (fork_id, source, asked.request, sha256, asked.sender)
            run = await asyncio.to_thread(self._inputs.make, *making)
            await self._submission.check_tenant(run.tenant)
            run = await self._submission.with_files(run, asked.sender, asked.request.field)
            await self._sources.share_files(asked.run_id, fork_id)
        links, now = self._views.links(fork_id), datetime.now(UTC)
        return PreparedRun(None, run, asked.key, now, links, asked.trail)


def _known(fork_id: str, run_id: str, sha256: str) -> RunInput:
    """What tells whether the run that a key has started is this fork; it is not started again."""
    agent = AgentSpec(name="fork", model="rehearsal")
    past = Past(run_id=run_id)
    return RunInput(run_id=fork_id, agent=agent, input="", request_sha256=sha256, past=past)
