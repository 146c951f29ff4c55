"""A run as clients see it, from the journal or Temporal."""

from __future__ import annotations

from collections.abc import Sequence

from relayline.api.errors import RunExpired, TemporalUnavailable, UnknownRun
from relayline.api.temporal.execution import Execution
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.stuck import StuckRuns
from relayline.api.temporal.terminal import TerminalFacts
from relayline.contracts.answers import Links, RunView
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import RunCompleted
from relayline.contracts.runs import RunStatus
from relayline.journal.port import CursorExpired, Head, Journal, JournalUnavailable
from relayline.journal.terminal import read_all
from relayline.projections.row import row_of


class Views:
    """Finds runs: in the journal's terminal fact, then in Temporal, then in the journal's facts.

    A run that Temporal closed without a terminal fact gets one first.
    """

    def __init__(
        self,
        journal: Journal,
        gateway: Gateway,
        links: LinkMaker,
        terminal_facts: TerminalFacts,
        stuck_runs: StuckRuns,
    ) -> None:
        self._journal = journal
        self._gateway = gateway
        self.links = links
        self._terminal_facts = terminal_facts
        self._stuck_runs = stuck_runs

    async def find(self, run_id: str) -> RunView:
        """The run.

        Raises:
            UnknownRun: neither the journal nor Temporal knows it.
            RunExpired: it ended and its events are past retention.
            TemporalUnavailable: the journal does not know it and Temporal can't be asked.
            JournalUnavailable: Temporal does not know it and the journal can't be asked.
        """
        head, trouble = await self._head(run_id)
        if view := await self._ended(run_id, head):
            return view if view.agent else await self._with_request(view)
        try:
            execution = await self._gateway.execution(run_id)
        except TemporalUnavailable:
            if head is None or head.ended:
                raise
            return await self._from_facts(run_id)
        if execution:
            settled = None if trouble else await self._closed_by_temporal(execution)
            return settled or await self._of_execution(execution)
        if trouble:
            raise trouble
        if head is None:
            raise UnknownRun(run_id)
        if head.ended:
            raise RunExpired(f"the events of {run_id} are past retention", run_id=run_id)
        return await self._from_facts(run_id)

    async def head(self, run_id: str) -> Head | None:
        """The journal's bounds of a run; None when only Temporal knows it yet.

        Raises:
            UnknownRun: neither the journal nor Temporal knows it.
            TemporalUnavailable: the journal does not know it and Temporal can't be asked.
            JournalUnavailable: the journal can't be asked.
        """
        head = await self._journal.head(run_id)
        if head is not None:
            return head
        execution = await self._gateway.execution(run_id)
        if execution is None:
            raise UnknownRun(run_id)
        return await self._head_with_end(execution) if execution.status.ended else None

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
            step=memo.step,
            waiting_for=() if ended else memo.waiting_for,
            attention=await self._stuck_runs.reason(execution),
            limits=request.limits if request else None,
            metadata=request.metadata if request else None,
            created_at=execution.submitted_at,
            ended_at=execution.closed_at,
            links=self.links(execution.run_id),
        )

    async def _head(self, run_id: str) -> tuple[Head | None, JournalUnavailable | None]:
        try:
            return await self._journal.head(run_id), None
        except JournalUnavailable as error:
            return None, error

    async def _closed_by_temporal(self, execution: Execution) -> RunView | None:
        """A run that Temporal has closed, from its terminal fact, which is added if it is missing.

        While an operator resets a run it may look closed: that is the old execution.
        """
        if not execution.status.ended:
            return None
        try:
            head = await self._head_with_end(execution)
        except (JournalUnavailable, TemporalUnavailable):
            return None
        if head is None or not head.ended:
            newest = await self._gateway.execution(execution.run_id)
            return await self._of_execution(newest or execution)
        view = await self._ended(execution.run_id, head)
        return _add_request(view, execution) if view else None

    async def _head_with_end(self, execution: Execution) -> Head | None:
        """The bounds of a run that Temporal has closed; adds its terminal fact if it is missing."""
        head = await self._journal.head(execution.run_id)
        if head is None or not head.ended:
            await self._terminal_facts.ensure(execution.run_id)
            head = await self._journal.head(execution.run_id)
        return head

    async def _with_request(self, view: RunView) -> RunView:
        """A run that ended before it started, with its request from Temporal."""
        try:
            execution = await self._gateway.execution(view.run_id)
        except TemporalUnavailable:
            return view
        return _add_request(view, execution) if execution else view

    async def _ended(self, run_id: str, head: Head | None) -> RunView | None:
        """From the terminal fact; None if there is none or it was swept."""
        if head is None or not head.ended:
            return None
        try:
            terminal = await self._journal.read(run_id, head.last_seq - 1, 1)
            first = await self._journal.read(run_id, head.first_seq - 1, 1)
        except CursorExpired:
            return None
        return self._fold(run_id, [*first, *terminal]) if terminal else None

    async def _from_facts(self, run_id: str) -> RunView:
        """From all facts, for when Temporal does not answer."""
        head = await self._journal.head(run_id)
        after = head.first_seq - 1 if head else 0
        facts = await read_all(self._journal, run_id, after, facts=True)
        return self._fold(run_id, facts)

    def _fold(self, run_id: str, facts: Sequence[StoredEvent]) -> RunView:
        told = row_of(facts)
        return RunView(
            run_id=run_id,
            agent=told.agent,
            model=told.model,
            status=told.status,
            output=_output(facts) if told.status is RunStatus.COMPLETED else None,
            error=told.error,
            usage=told.usage,
            step=told.step,
            waiting_for=told.waiting_for,
            limits=told.limits,
            metadata=told.metadata,
            created_at=told.created_at,
            ended_at=told.ended_at,
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
            self=path, events=f"{path}/events", progress=f"{path}/progress", temporal_ui=ui
        )


def _output(facts: Sequence[StoredEvent]) -> str | None:
    """The output of a completed run; the newest end counts."""
    ends = (fact.body() for fact in reversed(facts) if fact.ends_run)
    body = next(ends, None)
    return body.output if isinstance(body, RunCompleted) else None


def _add_request(view: RunView, execution: Execution) -> RunView:
    """The run with its request, where its own facts don't have it."""
    if view.agent is None and (request := execution.request):
        view.agent, view.model = request.agent, request.model
        view.limits, view.metadata = request.limits, request.metadata
        view.created_at = execution.submitted_at
    return view
