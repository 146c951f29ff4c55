"""A run as clients see it, from the journal or Temporal."""

from __future__ import annotations

from relayline.api.errors import ErasedRun, RunExpired, TemporalUnavailable, UnknownRun
from relayline.api.runs.owners import RunOwners
from relayline.api.temporal.execution import Execution
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.stuck import StuckRuns
from relayline.api.temporal.terminal import TerminalFacts
from relayline.contracts.answers import Links, RunView
from relayline.contracts.events import RunCompleted
from relayline.contracts.runs import RunStatus
from relayline.journal.port import CursorExpired, Head, JournalUnavailable, RunErased
from relayline.journal.table import Storage, Tenant
from relayline.projections.row import RunRow


class Views:
    """Finds runs: by their row once they have ended, then in Temporal, then by their row.

    A run that Temporal closed without a terminal fact gets one first.
    """

    def __init__(
        self,
        storage: Storage,
        gateway: Gateway,
        links: LinkMaker,
        terminal_facts: TerminalFacts,
        stuck_runs: StuckRuns,
    ) -> None:
        self._storage = storage
        self._gateway = gateway
        self.links = links
        self._terminal_facts = terminal_facts
        self._stuck_runs = stuck_runs
        self.owners = RunOwners(storage, gateway)

    async def find(self, tenant: Tenant, run_id: str) -> RunView:
        """The run.

        Raises:
            UnknownRun: neither the journal nor Temporal knows it as a run of that tenant.
            RunExpired: it ended and its events are past retention.
            TemporalUnavailable: the journal does not know it and Temporal can't be asked.
            JournalUnavailable: Temporal does not know it and the journal can't be asked.
        """
        await self.owners.check(tenant, run_id)
        head, trouble = await self._head(tenant, run_id)
        if head and head.ended and (view := await self._of_ended(tenant, run_id, head)):
            return view if view.limits else await self._with_request(view)
        try:
            execution = await self._gateway.execution(run_id)
        except TemporalUnavailable:
            if head is None or head.ended:
                raise
            return await self._of_row(tenant, run_id)
        if execution:
            settled = None if trouble else await self._closed_by_temporal(tenant, execution)
            return settled or await self._of_execution(execution)
        if trouble:
            raise trouble
        if head is None:
            raise UnknownRun(run_id)
        if head.ended:
            raise RunExpired(f"the events of {run_id} are past retention", run_id=run_id)
        return await self._of_row(tenant, run_id)

    async def head(self, tenant: Tenant, run_id: str) -> Head | None:
        """The journal's bounds of a run; None when only Temporal knows it yet.

        Of a run that has not begun, Temporal is asked whether it has ended.

        Raises:
            UnknownRun: neither the journal nor Temporal knows it as a run of that tenant.
            TemporalUnavailable: the journal does not know it and Temporal can't be asked.
            JournalUnavailable: the journal can't be asked.
        """
        await self.owners.check(tenant, run_id)
        head = await self._bounds(tenant, run_id)
        if head is not None and (head.ended or head.last_seq > 1):
            return head
        try:
            execution = await self._gateway.execution(run_id)
        except TemporalUnavailable:
            if head is None:
                raise
            return head
        if execution is None and head is None:
            raise UnknownRun(run_id)
        if execution is not None and execution.status.ended:
            return await self._head_with_end(tenant, execution)
        return head

    async def _of_execution(self, execution: Execution) -> RunView:
        """The run as Temporal knows it."""
        request, memo = execution.request, execution.memo
        ended = execution.status.ended
        return RunView(
            run_id=execution.run_id,
            agent=request.agent if request else None,
            model=request.model if request else None,
            status=execution.status,
            error=memo.last_error if execution.status is RunStatus.FAILED else None,
            usage=memo.usage,
            child_usage=memo.child_usage,
            parent=request.parent if request else None,
            root=request.root if request else None,
            step=memo.step,
            waiting_for=() if ended else memo.waiting_for,
            attention=await self._stuck_runs.reason(execution),
            forked_from=request.forked_from if request else None,
            limits=request.limits if request else None,
            metadata=request.metadata if request else None,
            user=(request.user or None) if request else None,
            created_at=execution.submitted_at,
            start_at=request.start_at if request else None,
            ended_at=execution.closed_at,
            build=execution.build_id or None,
            links=self.links(execution.run_id),
        )

    async def _head(
        self, tenant: Tenant, run_id: str
    ) -> tuple[Head | None, JournalUnavailable | None]:
        try:
            return await self._bounds(tenant, run_id), None
        except JournalUnavailable as error:
            return None, error

    async def _bounds(self, tenant: Tenant, run_id: str) -> Head | None:
        """As the journal says.

        Raises:
            ErasedRun: the run was erased, whatever Temporal still has of it.
            JournalUnavailable: the journal can't be asked.
        """
        try:
            return await self._storage.head(tenant, run_id)
        except RunErased as error:
            raise ErasedRun(run_id) from error

    async def _closed_by_temporal(self, tenant: Tenant, execution: Execution) -> RunView | None:
        """A run that Temporal has closed, from its terminal fact, which is added if it is missing.

        While an operator resets a run it may look closed: that is the old execution.
        """
        if not execution.status.ended:
            return None
        try:
            head = await self._head_with_end(tenant, execution)
        except (JournalUnavailable, TemporalUnavailable):
            return None
        if head is None or not head.ended:
            newest = await self._gateway.execution(execution.run_id)
            return await self._of_execution(newest or execution)
        view = await self._of_ended(tenant, execution.run_id, head)
        return _add_request(view, execution) if view else None

    async def _head_with_end(self, tenant: Tenant, execution: Execution) -> Head | None:
        """The bounds of a run that Temporal has closed; adds its terminal fact if it is missing."""
        head = await self._bounds(tenant, execution.run_id)
        if head is None or not head.ended:
            await self._terminal_facts.ensure(execution.run_id)
            head = await self._bounds(tenant, execution.run_id)
        return head

    async def _with_request(self, view: RunView) -> RunView:
        """A run that ended before it started, with its request from Temporal."""
        try:
            execution = await self._gateway.execution(view.run_id)
        except TemporalUnavailable:
            return view
        return _add_request(view, execution) if execution else view

    async def _of_ended(self, tenant: Tenant, run_id: str, head: Head) -> RunView | None:
        """From its row and, if it has completed, its last fact; None once its events were swept."""
        if head.first_seq > head.last_seq:
            return None
        try:
            return await self._of_row(tenant, run_id)
        except CursorExpired:
            return None

    async def _of_row(self, tenant: Tenant, run_id: str) -> RunView:
        """The run as its facts tell.

        Raises:
            CursorExpired: it has completed, and its events were swept.
        """
        listed = await self._storage.listed(tenant, run_id)
        row = listed.row if listed else RunRow(run_id=run_id)  # without a fact there is no row
        completed: RunCompleted | None = None
        if listed and row.status is RunStatus.COMPLETED:
            last = await self._storage.read(tenant, run_id, listed.last_seq - 1, 1)
            body = last[0].body() if last else None
            completed = body if isinstance(body, RunCompleted) else None
        return RunView(
            run_id=run_id,
            agent=row.agent,
            model=row.model,
            status=row.status,
            output=completed.output if completed else None,
            output_type=completed.output_type if completed else "text",
            error=row.error,
            usage=row.usage,
            child_usage=row.child_usage,
            parent=row.parent,
            root=row.root,
            step=row.step,
            waiting_for=row.waiting_for,
            forked_from=row.source,
            inherited_usage=row.inherited_usage if row.fork else None,
            limits=row.limits,
            metadata=row.metadata,
            user=row.user or None,
            created_at=row.created_at,
            start_at=row.start_at,
            ended_at=row.ended_at,
            source="journal",
            links=self.links(run_id),
        )


class LinkMaker:
    """Builds the links of a run."""

    def __init__(self, temporal_ui: str, namespace: str) -> None:
        self._ui = temporal_ui.rstrip("/")
        self._namespace = namespace

    def __call__(self, run_id: str) -> Links:
        """The run's links; the Temporal one only where the UI's address is known."""
        path = f"/v1/runs/{run_id}"
        ui = f"{self._ui}/namespaces/{self._namespace}/workflows/{run_id}" if self._ui else None
        return Links(
            self=path,
            events=f"{path}/events",
            progress=f"{path}/progress",
            page=f"/runs/{run_id}",
            temporal_ui=ui,
        )


def _add_request(view: RunView, execution: Execution) -> RunView:
    """The run with its request, where its own facts don't have it."""
    if view.limits is None and (request := execution.request):
        view.agent, view.model = request.agent, request.model
        view.limits, view.metadata = request.limits, request.metadata
        view.created_at = execution.submitted_at
    return view
