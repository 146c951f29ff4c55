"""What a run tells the run that has started it: usage, and what it waits for."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.family.asking import MAX_REPORTED, ChildReport
    from relayline.contracts.runs import RunInput, Waiting
    from relayline.workflows.state import RunState

REPORT = "child_report"
"""Name of the signal."""
OFTEN = 100
"""Reports of usage at each step; further ones tell of a larger part of the limits."""
PARTS = 50
"""Such parts: what a parent takes in has a bound, however many steps the runs below it take."""


class Reporting:
    """Signals the parent of a run whenever something has changed; without a parent, nothing."""

    def __init__(self, run_input: RunInput, state: RunState) -> None:
        self._run_id = run_input.run_id
        self._parent = run_input.parent
        self._state = state
        self._told = self._newest = ChildReport(run_id=self._run_id)
        self._telling: asyncio.Task[None] | None = None
        self._sent = 0

    def tell(self, waiting: tuple[Waiting, ...]) -> None:
        """Tell what the run has used, and what it waits for, without waiting."""
        if self._parent is None:
            return
        items = tuple(map(self._seen_above, waiting[:MAX_REPORTED]))
        used = self._state.used
        newest = ChildReport(run_id=self._run_id, usage=used, waiting_for=items)
        if self._sent >= OFTEN and not self._matters(newest):
            return
        self._newest = newest
        if self._newest != self._told:
            self._tell_soon(self._parent.run_id)

    def _tell_soon(self, parent: str) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(parent))

    async def _tell(self, parent: str) -> None:
        while self._newest != self._told:
            report = self._told = self._newest
            self._sent += 1
            try:
                await workflow.get_external_workflow_handle(parent).signal(REPORT, report)
            except FailureError as error:  # it has ended, and cancels this run
                workflow.logger.debug("the parent has ended", extra={"reason": str(error)})

    def _matters(self, newest: ChildReport) -> bool:
        """True if it waits for something else, or has used one more part of its limits."""
        limits, told = self._state.limits, self._newest
        more = newest.usage.total_tokens - told.usage.total_tokens
        spent, before = newest.usage.cost, told.usage.cost
        dollars = spent.dollars - (before.dollars if before else 0) if spent else 0
        costs = limits.max_cost is not None and dollars * PARTS >= Decimal(str(limits.max_cost))
        return newest.waiting_for != told.waiting_for or more * PARTS >= limits.max_tokens or costs

    def _seen_above(self, item: Waiting) -> Waiting:
        """The item as it stands in the parent's `waiting_for`."""
        if item.run_id:
            return item
        id_ = f"{self._run_id}.{item.id}" if item.id else None
        return item.model_copy(update={"run_id": self._run_id, "id": id_})
