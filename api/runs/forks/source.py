"""The run that a fork is made of: what of it can be a past, and what it was given."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from relayline.api.errors import InvalidField, RunExpired, UnknownRun
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import AgentPinned
from relayline.contracts.runs import AgentSpec, RunInput
from relayline.journal.port import CursorExpired
from relayline.journal.table import EVERY, Storage, Tenant
from relayline.projections.forks.outline import Outline
from relayline.projections.row import RunRow

PAGE = 1000
PAGE_BYTES = 4 * 1024 * 1024
"""The most of a run that is held at a time."""
_PINNED = "agent.pinned"


@dataclass(frozen=True)
class Source:
    """A run, as far as a fork of it must know it."""

    run_id: str
    row: RunRow
    outline: Outline
    given: RunInput | None
    """The workflow's argument; None once Temporal has forgotten the run."""
    pinned: AgentSpec | None
    """The agent, if the journal has it."""

    @property
    def agent(self) -> AgentSpec | None:
        """The agent of the run; None if nobody knows it any more."""
        return self.given.agent if self.given else self.pinned


class ForkSources:
    """Reads the run that somebody wants to fork."""

    def __init__(self, storage: Storage, gateway: Gateway) -> None:
        self._storage = storage
        self._gateway = gateway

    async def read(self, tenant: Tenant, run_id: str) -> Source:
        """The run, as its facts tell now.

        Raises:
            UnknownRun: there is none, or it is another tenant's.
            RunErased: it was erased.
            RunExpired: its events are past retention.
            InvalidField: it has not begun.
            JournalUnavailable, TemporalUnavailable: it can't be read.
        """
        head = await self._storage.head(tenant, run_id)
        given = await self._gateway.input_of(run_id)
        if head is None and (given is None or tenant not in {EVERY, given.tenant}):
            raise UnknownRun(run_id)
        listed = await self._storage.listed(tenant, run_id)
        if head is None or listed is None:
            raise InvalidField(f"from_step: {run_id} has not begun yet", field="from_step")
        try:
            outline, pinned = await self._facts(tenant, run_id)
        except CursorExpired as error:
            raise RunExpired(
                f"the events of {run_id} are past retention, so that nothing can be made of them",
                run_id=run_id,
            ) from error
        return Source(run_id, listed.row, outline, given, pinned)

    async def share_files(self, run_id: str, fork_id: str) -> None:
        """Have the fork name the files of its run, before anything of either can be erased.

        Raises:
            JournalUnavailable: the storage did not answer.
        """
        await self._storage.files.copy_names(run_id, fork_id)

    async def _facts(self, tenant: Tenant, run_id: str) -> tuple[Outline, AgentSpec | None]:
        outline, pinned = Outline(), None
        while page := await self._storage.read(
            tenant, run_id, outline.seq, PAGE, facts=True, max_bytes=PAGE_BYTES
        ):
            outline = await asyncio.to_thread(outline.added, page)
            pinned = next(filter(None, map(_spec_in, page)), pinned)
        return outline, pinned


def _spec_in(fact: StoredEvent) -> AgentSpec | None:
    body = fact.body() if fact.type == _PINNED else None
    return AgentSpec.model_validate(body.spec) if isinstance(body, AgentPinned) else None
