"""What a run tells the run that has started it: usage, and what it waits for."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.family.asking import MAX_REPORTED, ChildReport
    from relayline.contracts.runs import RunInput, Waiting
    from relayline.workflows.state import RunState

REPORT = "child_report"
"""Name of the signal."""


class Reporting:
    """Signals the parent of a run whenever something has changed; without a parent, nothing."""

    def __init__(self, run_input: RunInput, state: RunState) -> None:
        self._run_id = run_input.run_id
        self._parent = run_input.parent
        self._state = state
        self._told = self._newest = ChildReport(run_id=self._run_id)
        self._telling: asyncio.Task[None] | None = None

    def tell(self, waiting: tuple[Waiting, ...]) -> None:
        """Tell what the run has used, and what it waits for, without waiting."""
        if self._parent is None:
            return
        items = tuple(map(self._seen_above, waiting[:MAX_REPORTED]))
        used = self._state.used
        self._newest = ChildReport(run_id=self._run_id, usage=used, waiting_for=items)
        if self._newest != self._told and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell(self._parent.run_id))

    async def _tell(self, parent: str) -> None:
        while self._newest != self._told:
            report = self._told = self._newest
            try:
                await workflow.get_external_workflow_handle(parent).signal(REPORT, report)
            except FailureError as error:  # it has ended, and cancels this run
                workflow.logger.debug("the parent has ended", extra={"reason": str(error)})

    def _seen_above(self, item: Waiting) -> Waiting:
        """The item as it stands in the parent's `waiting_for`."""
        if item.run_id:
            return item
        id_ = f"{self._run_id}.{item.id}" if item.id else None
        return item.model_copy(update={"run_id": self._run_id, "id": id_})
