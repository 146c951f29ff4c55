"""What is measured of MCP tools is held against its goals."""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from benchmarks.mcp_calls import (
    Sizes,
    bytes_per_activity,
    call_figure,
    size_figures,
    start_figure,
)
from benchmarks.measure import verdict


def test_a_call_may_take_half_as_long_again_as_a_bare_client_s() -> None:
    assert verdict(call_figure("stdio", [1.0, 1.5, 9.0], [1.0])) == "ok"
    assert verdict(call_figure("stdio", [1.8], [1.0])) == "short x1.20"


def test_a_run_may_start_50_ms_later_with_servers_than_without() -> None:
    assert verdict(start_figure([80.0], [30.0])) == "ok"
    assert verdict(start_figure([160.0], [30.0])) == "short x2.00"


def test_neither_a_step_nor_a_call_may_take_more_than_3_kb() -> None:
    step, call = size_figures(Sizes(3000, 3300), Sizes(4000, 1000))
    assert (verdict(step), step.floor) == ("ok", 4)
    assert (verdict(call), call.floor) == ("short x1.10", 1)


def test_history_is_counted_to_the_activity_that_it_ends_with() -> None:
    started = HistoryEvent(event_id=1)
    scheduled = HistoryEvent(event_id=2, event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    scheduled.activity_task_scheduled_event_attributes.activity_type.name = "call_tool"
    completed = HistoryEvent(event_id=3, event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
    completed.activity_task_completed_event_attributes.scheduled_event_id = 2
    history = [started, scheduled, completed, scheduled, completed]
    pair = scheduled.ByteSize() + completed.ByteSize()
    assert bytes_per_activity(history) == {"call_tool": [started.ByteSize() + pair, pair]}
