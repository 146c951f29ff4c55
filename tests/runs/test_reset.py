"""An operator resets a run in Temporal: what came after counts no more, and the run goes on."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.worker import Replayer

from relayline.contracts.envelope import Envelope
from relayline.projections.rendered import render
from relayline.projections.steps import ToolState
from relayline.runtime.temporal import data_converter
from relayline.workflows.agent_run import AgentRun
from tests.dev_stack import DevStack
from tests.resetting import FIRST_TASK, at_rest, history, reset, reset_to

ONE = {"call": "calculate", "arguments": {"expression": "6*7"}}
TWO = {"call": "sleep", "arguments": {"seconds": 0}}


async def ended_again(stack: DevStack, run_id: str, times: int) -> list[dict[str, Any]]:
    """The events once the run has ended that often."""
    async with asyncio.timeout(15):
        while True:
            events = await stack.events(run_id)
            if sum(event["type"] == "run.completed" for event in events) == times:
                return events
            await asyncio.sleep(0.05)


async def test_an_ended_run_that_is_reset_goes_on_from_there_and_ends_again(
    stack: DevStack,
) -> None:
    run_id = await stack.submit({"say": "first"}, ONE, {"say": "then"}, TWO, {"say": "done"})
    await stack.ended(run_id)
    before = await stack.events(run_id)
    await reset(stack, run_id, after_activity=2)  # the result of the first tool
    events = await ended_again(stack, run_id, 2)
    rewound = next(event for event in events if event["type"] == "run.rewound")
    assert rewound["seq"] == before[-1]["seq"] + 1
    assert rewound["data"]["epoch"] == 1
    last_kept = before[rewound["data"]["to_seq"] - 1]
    assert (last_kept["type"], last_kept["data"]["call_id"]) == ("tool.completed", "call_1_0")
    again = [event["type"] for event in events[rewound["seq"] :]]
    assert again[0] == "step.started"
    assert again.count("tool.completed") == again.count("run.completed") == 1
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    run = await stack.ended(run_id)
    assert (run["status"], run["output"], run["step"]) == ("completed", "done", 3)


async def test_what_is_rendered_after_a_reset_is_what_counts(stack: DevStack) -> None:
    run_id = await stack.submit({"say": "first"}, ONE, {"say": "then"}, TWO, {"say": "done"})
    await stack.ended(run_id)
    await reset(stack, run_id, after_activity=3)  # the second message: its tool runs again
    events = [Envelope.model_validate(event) for event in await ended_again(stack, run_id, 2)]
    rewound = next(event for event in events if event.type == "run.rewound")
    there = render(event for event in events if event.seq <= rewound.seq)
    assert [there.text(step) for step in (1, 2, 3)] == ["first", "then", ""]
    assert there.tools["call_2_0"].state is ToolState.REQUESTED
    assert (there.output, there.status) == (None, "running")
    started = [event.data["call_id"] for event in events if event.type == "tool.started"]
    assert started == ["call_1_0", "call_2_0", "call_2_0"]
    after = render(events)
    assert after.text(3) == after.output == "done"


async def test_a_run_may_be_reset_again_and_to_before_the_first_reset(stack: DevStack) -> None:
    run_id = await stack.submit(ONE, TWO, {"say": "done"})
    await stack.ended(run_id)
    await reset(stack, run_id, after_activity=3)
    await ended_again(stack, run_id, 2)
    await reset(stack, run_id, after_activity=1)
    events = await ended_again(stack, run_id, 3)
    rewinds = [event["data"] for event in events if event["type"] == "run.rewound"]
    assert [rewind["epoch"] for rewind in rewinds] == [1, 2]
    assert rewinds[1]["to_seq"] < rewinds[0]["to_seq"]
    assert (await stack.ended(run_id))["output"] == "done"
    replayer = Replayer(workflows=[AgentRun], data_converter=data_converter)
    await replayer.replay_workflow(await history(stack, run_id))


async def test_an_answer_under_way_at_a_reset_begins_anew_and_nobody_has_cut_it(
    stack: DevStack,
) -> None:
    run_id = await stack.submit({"say": "word " * 60, "every_ms": 50})
    await stack.seen(run_id, "message.delta")
    await reset_to(stack, run_id, FIRST_TASK)
    run = await stack.ended(run_id)
    assert (run["status"], run["output"], run["step"]) == ("completed", "word " * 60, 1)
    types = [event["type"] for event in await stack.events(run_id)]
    assert types.count("attempt.superseded") == types.count("message.completed") == 1
    assert "message.interrupted" not in types


async def test_a_tool_under_way_at_a_reset_runs_again_and_nobody_has_cancelled_it(
    stack: DevStack,
) -> None:
    call = {"call": "sleep", "arguments": {"seconds": 4}}
    run_id = await stack.submit(call, {"say": "done"})
    await stack.seen(run_id, "tool.started")
    await reset_to(stack, run_id, FIRST_TASK)
    assert (await stack.ended(run_id))["output"] == "done"
    types = [event["type"] for event in await stack.events(run_id)]
    assert (types.count("tool.started"), types.count("tool.completed")) == (2, 1)
    assert "tool.cancelled" not in types


async def test_a_reset_to_the_very_first_task_finds_every_result_and_does_nothing_twice(
    stack: DevStack,
) -> None:
    run_id = await stack.submit(ONE, {"say": "done"})
    await stack.ended(run_id)
    before = await stack.events(run_id)
    temporal = await stack.temporal()
    await reset_to(stack, run_id, FIRST_TASK)
    result = await temporal.get_workflow_handle(run_id).result()
    assert (result["status"], result["steps"]) == ("completed", 2)
    assert await stack.events(run_id) == before


async def test_a_run_whose_question_has_expired_can_be_reset_to_ask_it_again(
    stack: DevStack,
) -> None:
    asks = {"call": "ask_user", "arguments": {"question": "which?", "within_s": 2}}
    run_id = await stack.submit(asks, {"say": "done"})
    await stack.ended(run_id)
    await reset(stack, run_id, after_activity=2)  # the question is in the journal
    await stack.seen(run_id, "run.rewound")
    again = "input_e1_1_0"
    await stack.seen_text(run_id, again)
    await stack.send(run_id, "answer", request_id=again, text="that")
    run = await stack.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", "done")
    events = await stack.events(run_id)
    ends = [event["data"] for event in events if event["type"].startswith("tool.")]
    assert [end.get("output") for end in ends] == [None, "that"]


async def test_a_terminated_run_that_is_reset_runs_the_tool_again_that_was_under_way(
    stack: DevStack,
) -> None:
    slow = {"name": "sleep", "arguments": {"seconds": 5}}
    quick = {"name": "calculate", "arguments": {"expression": "6*7"}}
    run_id = await stack.submit({"calls": [quick, slow]}, {"say": "done"})
    await stack.seen(run_id, "tool.completed")
    task = await at_rest(stack, run_id)
    stack.kill_worker()  # it says nothing any more about the tool
    await (await stack.temporal()).get_workflow_handle(run_id).terminate("enough")
    assert (await stack.ended(run_id))["status"] == "terminated"
    await reset_to(stack, run_id, task)
    await stack.seen(run_id, "run.rewound")
    run = await stack.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", "done")
    events = await stack.events(run_id)
    ends = [(it["type"], it["data"]["call_id"]) for it in events if it["type"].startswith("tool.")]
    assert ends[-1] == ("tool.completed", "call_1_1")
    assert "tool.failed" not in dict(ends)
