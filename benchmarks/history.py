"""How many Temporal history events a run costs, and that streaming costs none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from benchmarks.measure import Figure, events_per_activity
from benchmarks.sse import fetch
from benchmarks.stack import Stack

BENCH = "history"
FEW, MANY = 2, 12
"""Tool-calling steps of the two runs whose difference gives the slope."""
FEW_TOKENS, MANY_TOKENS, QUICK_TOKENS = 10, 2000, 500
AUDIENCE = 20
LIMIT = 7
MANY_CALLS, QUICK_CALLS, TOKENS_A_CALL = (100, 300), (20,), 2090
LONG_RUN_S = 600
_CALL = {"call": "calculate", "arguments": {"expression": "6*7"}}


async def history_of(stack: Stack, items: Sequence[object], viewers: int = 0) -> list[HistoryEvent]:
    """Run a script to its end, with more viewers beside its own, and fetch its history."""
    body = {"agent": "assistant", "input": json.dumps({"rehearse": items})}
    if viewers:
        _, accepted = await fetch(stack.runs, body=body, stream=False)
        run_id = str(accepted.json()["run_id"])
        await asyncio.gather(*(fetch(stack.events(run_id)) for _ in range(viewers)))
    else:
        _, reply = await fetch(stack.runs, body=body)
        first = reply.frames()[0]
        run_id = str(json.loads(first.data)["run_id"])
    handle = stack.temporal.get_workflow_handle(run_id)
    await handle.result()
    return list((await handle.fetch_history()).events)


def kinds(history: Sequence[HistoryEvent]) -> list[tuple[str, str]]:
    """The history as `events_per_activity` takes it."""
    names: dict[int, str] = {}
    found: list[tuple[str, str]] = []
    for event in history:
        match event.event_type:
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                name = event.activity_task_scheduled_event_attributes.activity_type.name
                names[event.event_id] = name
                found.append(("scheduled", name))
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                attributes = event.activity_task_completed_event_attributes
                found.append(("completed", names[attributes.scheduled_event_id]))
            case _:
                found.append(("", ""))
    return found


async def long_run(stack: Stack, calls: int) -> tuple[int, float]:
    """A conversation of many model calls; events and MB of history over all its executions."""
    step = [{"tokens": TOKENS_A_CALL, "words_per_delta": 50}, _CALL]
    script = json.dumps({"rehearse": [*(step * (calls - 1)), {"say": "done"}]})
    limits = {"max_steps": calls, "max_tool_calls": calls, "max_tokens": 10**9}
    body = {"agent": "assistant", "input": script, "limits": limits}
    _, reply = await fetch(stack.runs, body=body, timeout_s=LONG_RUN_S)
    run_id = str(json.loads(reply.frames()[0].data)["run_id"])
    await stack.temporal.get_workflow_handle(run_id).result()
    return await whole_history(stack, run_id)


async def whole_history(stack: Stack, run_id: str) -> tuple[int, float]:
    """Events and MB of history over all executions of a run, from the newest back to the first."""
    execution: str | None = None
    events = size = 0
    while execution != "":
        handle = stack.temporal.get_workflow_handle(run_id, run_id=execution)
        info = (await handle.describe()).raw_description.workflow_execution_info
        events += info.history_length
        size += info.history_size_bytes
        first = await anext(handle.fetch_history_events(page_size=1))
        execution = first.workflow_execution_started_event_attributes.continued_execution_run_id
    return events, size / 1e6


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """Slopes over steps, tokens and viewers."""
    done, tokens = {"say": "done"}, QUICK_TOKENS if quick else MANY_TOKENS
    few = await history_of(stack, [*[_CALL] * FEW, done])
    many = await history_of(stack, [*[_CALL] * MANY, done])
    slope = (len(many) - len(few)) / (MANY - FEW)
    costs = events_per_activity(kinds(many))
    steady = {name: max(counts[1:], default=counts[0]) for name, counts in costs.items()}
    short = await history_of(stack, [{"tokens": FEW_TOKENS, "every_ms": 1}])
    long = await history_of(stack, [{"tokens": tokens, "every_ms": 1}])
    watched = await history_of(stack, [{"tokens": tokens, "every_ms": 1}], AUDIENCE)

    long_runs = [
        (calls, *await long_run(stack, calls)) for calls in (QUICK_CALLS if quick else MANY_CALLS)
    ]

    def row(name: str, ours: float, limit: float | None = None) -> Figure:
        return Figure(
            BENCH, name, "events", ours, limit=limit, rule="" if limit is None else f"{limit}"
        )

    return [
        row("a model step", steady["call_model"], LIMIT),
        row("a tool call", steady["call_tool"], LIMIT),
        row("a model step with its tool call, slope", slope, 2 * LIMIT),
        row(f"more for {tokens} tokens than for {FEW_TOKENS}", len(long) - len(short), 0),
        row(f"more for {AUDIENCE} viewers than for one", len(watched) - len(long), 0),
        row("a whole run of one step", len(short)),
        *(
            figure
            for calls, events, megabytes in long_runs
            for figure in (
                row(f"{calls} model calls with {TOKENS_A_CALL * calls:,} tokens", events, 10_000),
                Figure(BENCH, f"history of {calls} calls", "MB", megabytes, limit=5, rule="5"),
            )
        ),
    ]
