"""The run in Temporal itself: memo, search attribute, details in the Web UI."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import preview
    from relayline.contracts.runs import (
        FIRST_STEP,
        MEMO_PROGRESS,
        SEARCH_STATUS,
        Phase,
        RunMemo,
        RunStatus,
        Waiting,
    )
    from relayline.projections.markdown import code_span
    from relayline.workflows.state import RunState

_SUMMARY_CHARS, _SUMMARY_BYTES = 100, 300
"""Of the line beside an activity or a timer in the Web UI; Temporal documents at most 400 bytes."""
_STATUS = SearchAttributeKey.for_keyword(SEARCH_STATUS)


def summary(text: str, said: str = "") -> str:
    """One line as Temporal takes it for the summary of an activity or a timer.

    Args:
        text: Our own words.
        said: What a model or a person says, which follows as a code span: the Web UI reads
            Markdown.
    """
    if not said:
        return _line(text, _SUMMARY_BYTES)
    line = _line(said, _SUMMARY_BYTES - len(text.encode()))
    span = code_span(line)
    if len(span.encode()) > _SUMMARY_BYTES:
        span = code_span(line.replace("`", "'"))  # a fence would take more than there is room for
    return f"{text} {span}"


def _line(text: str, size_bytes: int) -> str:
    line = preview(" ".join(text.split()), _SUMMARY_CHARS)
    data = line.encode(errors="replace")
    if len(data) <= size_bytes:
        return data.decode()
    return data[: size_bytes - 3].decode(errors="ignore") + "…"


class Visibility:
    """Copies the state to the memo and the search attribute; each change costs one event."""

    def __init__(self, state: RunState, *, untouched: bool) -> None:
        """Start with the memo as this execution finds it.

        Args:
            state: The state of the run.
            untouched: False when an earlier execution of the run may have set the memo.
        """
        self._state = state
        self._memo = RunMemo()
        self._untouched = untouched
        info = workflow.info()
        self._execution = f"--namespace {info.namespace} --workflow-id {info.workflow_id}"

    def update(self, status: RunStatus, phase: Phase, *waiting: Waiting) -> None:
        """Set status, phase and waiting items, and show them."""
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
