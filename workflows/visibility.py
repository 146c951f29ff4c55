"""What Temporal itself shows of a run: memo, search attribute, details in the Web UI."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.runs import (
        FIRST_STEP,
        MEMO_PROGRESS,
        SEARCH_STATUS,
        Phase,
        RunMemo,
        RunStatus,
        Waiting,
    )
    from relayline.workflows.state import RunState

_STATUS = SearchAttributeKey.for_keyword(SEARCH_STATUS)


class Visibility:
    """Keeps memo and search attribute in step with the state; one event each, only on change."""

    def __init__(self, state: RunState, *, untouched: bool) -> None:
        """A run's memo, as this execution finds it.

        Args:
            state: Of the run.
            untouched: False when an earlier execution of the run may have set it.
        """
        self._state = state
        self._memo = RunMemo()
        self._untouched = untouched
        info = workflow.info()
        self._execution = f"--namespace {info.namespace} --workflow-id {info.workflow_id}"

    def update(self, status: RunStatus, phase: Phase, *waiting: Waiting) -> None:
        """Set what people see, everywhere they see it."""
        state = self._state
        state.status, state.phase, state.waiting_for = status, phase, waiting
        memo = state.memo()
        if memo.status is not self._memo.status:
            workflow.upsert_search_attributes([_STATUS.value_set(status.value)])
        if memo != self._memo and not (self._untouched and memo == FIRST_STEP):
            workflow.upsert_memo({MEMO_PROGRESS: memo})
            self._untouched = False
        self._memo = memo
        workflow.set_current_details(state.details(self._execution))
