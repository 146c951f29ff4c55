"""The paths through `AgentRun` whose histories are kept and replayed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from uuid import uuid4

from contracts.commands import Decide
from contracts.runs import TASK_QUEUE, AgentSpec, RunInput, ToolSpec
from tests.dev_stack import DevStack
from workflows.agent_run import AgentRun

Scenario = Callable[[DevStack], Awaitable[str]]
"""Plays one path to its end; gives the run's id."""


async def happy_path(stack: DevStack) -> str:
    """A tool call and an answer."""
    return await stack.submit(
        {"say": "let me see"},
        {"call": "calculate", "arguments": {"expression": "6*7"}},
        {"say": "forty-two"},
    )


async def parallel_tools(stack: DevStack) -> str:
    """Three calls side by side."""
    calls = [{"name": "sleep", "arguments": {"seconds": 0.2}} for _ in range(3)]
    return await stack.submit({"calls": calls}, {"say": "done"})


async def tool_failure(stack: DevStack) -> str:
    """A tool that fails for good, and one that is unknown."""
    return await stack.submit(
        {"call": "read_file", "arguments": {"path": "no/such/file"}},
        {"call": "no_such_tool"},
        {"say": "so be it"},
    )


async def provider_429(stack: DevStack) -> str:
    """The provider asks to wait twice."""
    return await stack.submit(
        {"say": "half a", "every_ms": 5}, {"fail": 429, "retry_after_s": 0.1, "times": 2}
    )


async def provider_refuses(stack: DevStack) -> str:
    """The provider says no for good: the run fails."""
    return await stack.submit({"fail": 401})


async def pause_and_resume(stack: DevStack) -> str:
    """A pause during a tool call, a needless one, then on."""
    run_id = await stack.submit({"call": "sleep", "arguments": {"seconds": 0.5}}, {"say": "done"})
    await stack.seen(run_id, "tool.started")
    await stack.client.post(f"/v1/runs/{run_id}/pause")
    await stack.seen(run_id, "run.paused")
    await stack.client.post(f"/v1/runs/{run_id}/pause")
    await stack.seen(run_id, "command.refused")
    await stack.client.post(f"/v1/runs/{run_id}/resume")
    return run_id


async def cancel_in_model(stack: DevStack) -> str:
    """Cancelled while the model speaks."""
    run_id = await stack.submit({"tokens": 2000, "every_ms": 20})
    await stack.seen(run_id, "message.delta")
    await stack.client.post(f"/v1/runs/{run_id}/cancel", json={"reason": "enough"})
    return run_id


async def cancel_in_tools(stack: DevStack) -> str:
    """Cancelled while two tools run."""
    calls = [{"name": "sleep", "arguments": {"seconds": 30}} for _ in range(2)]
    run_id = await stack.submit({"calls": calls}, {"say": "never"})
    await stack.seen(run_id, "tool.started")
    await stack.client.post(f"/v1/runs/{run_id}/cancel")
    return run_id


async def cancel_while_paused(stack: DevStack) -> str:
    """Cancelled while nothing runs."""
    run_id = await stack.submit({"call": "sleep", "arguments": {"seconds": 0.3}}, {"say": "never"})
    await stack.client.post(f"/v1/runs/{run_id}/pause")
    await stack.seen(run_id, "run.paused")
    await stack.client.post(f"/v1/runs/{run_id}/cancel")
    return run_id


async def worker_killed(stack: DevStack) -> str:
    """The worker dies in a model call."""
    run_id = await stack.submit({"tokens": 60, "every_ms": 20})
    await stack.seen(run_id, "message.delta")
    stack.kill_worker()
    return run_id


async def out_of_steps(stack: DevStack) -> str:
    """The budget of steps is used up."""
    call = {"call": "sleep", "arguments": {"seconds": 0}}
    return await stack.submit(call, call, call, limits={"max_steps": 2})


async def out_of_tool_calls(stack: DevStack) -> str:
    """The model asks for more calls than the budget has."""
    calls = [{"name": "sleep", "arguments": {"seconds": 0}} for _ in range(3)]
    return await stack.submit({"calls": calls}, limits={"max_tool_calls": 2})


async def out_of_time(stack: DevStack) -> str:
    """The wall clock runs out while a tool runs."""
    call = {"call": "sleep", "arguments": {"seconds": 30}}
    return await stack.submit(call, limits={"max_wall_s": 1})


async def redirect_in_model(stack: DevStack) -> str:
    """Redirected while the model speaks."""
    run_id = await stack.submit({"tokens": 2000, "every_ms": 20})
    await stack.seen(run_id, "message.delta")
    await stack.send(run_id, "redirect", message="go left")
    return run_id


async def redirect_in_tools(stack: DevStack) -> str:
    """Redirected while a safe tool, an unsafe one and an approval are under way."""
    calls = [
        {"name": "sleep", "arguments": {"seconds": 30}},
        {"name": "charge", "arguments": {"seconds": 1}},
        {"name": "pay", "arguments": {"amount": 500}},
    ]
    run_id = await stack.submit({"calls": calls}, agent="steered")
    await stack.seen(run_id, "approval.requested")
    await asyncio.sleep(0.3)
    await stack.send(run_id, "redirect", message="go left")
    return run_id


async def redirect_after_step(stack: DevStack) -> str:
    """A redirect that waits for the end of the step."""
    run_id = await stack.submit({"call": "sleep", "arguments": {"seconds": 0.5}}, {"say": "never"})
    await stack.seen(run_id, "tool.started")
    await stack.send(run_id, "redirect", message="go left", now=False)
    return run_id


async def pause_now(stack: DevStack) -> str:
    """Paused in mid-word, then on."""
    run_id = await stack.submit({"tokens": 60, "every_ms": 20})
    await stack.seen(run_id, "message.delta")
    await stack.send(run_id, "pause", now=True)
    await stack.seen(run_id, "run.paused")
    await stack.send(run_id, "resume")
    return run_id


async def approvals(stack: DevStack) -> str:
    """One approved as it is, one with other arguments, one denied, one that needs nobody."""
    calls = [{"name": "pay", "arguments": {"amount": amount}} for amount in (200, 300, 400, 1)]
    run_id = await stack.submit({"calls": calls}, {"say": "done"}, agent="steered")
    await stack.seen(run_id, "approval.requested")
    bad = {"amount": "much"}
    await stack.signal(
        run_id, Decide(approval_id="approval_1_1", decision="approve", arguments=bad)
    )
    await stack.seen(run_id, "command.refused")
    edited = {"decision": "approve", "arguments": {"amount": 30}}
    await stack.send(run_id, "approvals/approval_1_1", **edited)
    await stack.send(run_id, "approvals/approval_1_0", decision="approve", by="ann")
    await stack.send(run_id, "approvals/approval_1_2", decision="deny", note="too much")
    return run_id


async def approval_expires(stack: DevStack) -> str:
    """Nobody decides in time."""
    return await stack.submit({"call": "hurried"}, {"say": "so be it"}, agent="steered")


async def held_by_a_pause(stack: DevStack) -> str:
    """Approved while paused: the call begins once the run goes on."""
    call = {"call": "pay", "arguments": {"amount": 200}}
    run_id = await stack.submit(call, {"say": "done"}, agent="steered")
    await stack.seen(run_id, "approval.requested")
    await stack.send(run_id, "pause")
    await stack.seen(run_id, "run.paused")
    await stack.send(run_id, "approvals/approval_1_0", decision="approve")
    await stack.seen(run_id, "approval.resolved")
    await stack.send(run_id, "resume")
    return run_id


async def questions(stack: DevStack) -> str:
    """One answered, one that nobody answers in time."""
    calls = [
        {"name": "ask_user", "arguments": {"question": "which?", "choices": ["a", "b"]}},
        {"name": "ask_user", "arguments": {"question": "when?", "within_s": 0.5}},
    ]
    run_id = await stack.submit({"calls": calls}, {"say": "done"})
    await stack.seen(run_id, "input.closed")
    await stack.send(run_id, "answer", request_id="input_1_0", text="b", by="ann")
    return run_id


async def cancel_while_waiting(stack: DevStack) -> str:
    """Cancelled while a person is asked."""
    run_id = await stack.submit({"call": "ask_user", "arguments": {"question": "why?"}})
    await stack.seen(run_id, "input.requested")
    await stack.send(run_id, "cancel", reason="enough")
    return run_id


async def budget_raised(stack: DevStack) -> str:
    """Out of steps: raised once, then denied."""
    call = {"call": "sleep", "arguments": {"seconds": 0}}
    limits = {"max_steps": 1, "on_limit": "ask"}
    run_id = await stack.submit(call, call, call, call, limits=limits)
    await stack.seen(run_id, "approval.requested")
    await stack.send(run_id, "approvals/approval_budget_1", decision="approve")
    await stack.seen_text(run_id, "approval_budget_2")
    await stack.send(run_id, "approvals/approval_budget_2", decision="deny")
    return run_id


async def time_raised(stack: DevStack) -> str:
    """Out of time: what runs goes on, then a person is asked."""
    call = {"call": "sleep", "arguments": {"seconds": 1.5}}
    run_id = await stack.submit(call, {"say": "done"}, limits={"max_wall_s": 1, "on_limit": "ask"})
    await stack.seen(run_id, "approval.requested")
    await stack.send(run_id, "approvals/approval_budget_1", decision="approve")
    return run_id


async def _killed_in_charge(stack: DevStack) -> str:
    """The worker dies in an unsafe tool; the run asks what became of it."""
    call = {"call": "charge", "arguments": {"seconds": 0.5}}
    run_id = await stack.submit(call, {"say": "done"}, agent="steered")
    await stack.seen(run_id, "tool.started")
    stack.kill_worker()
    await stack.seen(run_id, "input.requested")
    return run_id


async def outcome_happened(stack: DevStack) -> str:
    """An unsafe tool whose worker died: it happened, a person says."""
    run_id = await _killed_in_charge(stack)
    await stack.send(run_id, "answer", request_id="outcome_1_0_1", text="happened: charged")
    return run_id


async def outcome_run_again(stack: DevStack) -> str:
    """An unsafe tool whose worker died: it did not happen, a person says, so it runs."""
    run_id = await _killed_in_charge(stack)
    await stack.send(run_id, "answer", request_id="outcome_1_0_1", text="run it")
    return run_id


async def outcome_stop(stack: DevStack) -> str:
    """An unsafe tool whose worker died: a person stops the run."""
    run_id = await _killed_in_charge(stack)
    await stack.send(run_id, "answer", request_id="outcome_1_0_1", text="stop")
    return run_id


async def continued(stack: DevStack) -> str:
    """So many steps that the run goes on in a new execution; the last one's history is kept."""
    call = {"call": "sleep", "arguments": {"seconds": 0}}
    script = json.dumps({"rehearse": [call] * 6 + [{"say": "done"}]})
    agent = AgentSpec(name="long", model="rehearsal", tools=(ToolSpec(name="sleep"),))
    run_id = f"run_{uuid4().hex}"
    run_input = RunInput(run_id=run_id, agent=agent, input=script, history_bound=40)
    temporal = await stack.temporal()
    await temporal.start_workflow(AgentRun.run, run_input, id=run_id, task_queue=TASK_QUEUE)
    await stack.seen(run_id, "run.completed")
    return run_id


SCENARIOS: tuple[Scenario, ...] = (
    happy_path,
    parallel_tools,
    tool_failure,
    provider_429,
    provider_refuses,
    pause_and_resume,
    cancel_in_model,
    cancel_in_tools,
    cancel_while_paused,
    worker_killed,
    out_of_steps,
    out_of_tool_calls,
    out_of_time,
    redirect_in_model,
    redirect_in_tools,
    redirect_after_step,
    pause_now,
    approvals,
    approval_expires,
    held_by_a_pause,
    questions,
    cancel_while_waiting,
    budget_raised,
    time_raised,
    continued,
    outcome_happened,
    outcome_run_again,
    outcome_stop,
)
KILLING = (worker_killed, outcome_happened, outcome_run_again, outcome_stop)
"""Those in which the worker dies: each wants a stack for itself."""
