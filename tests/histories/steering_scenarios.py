"""The paths through `AgentRun` on which somebody takes the wheel."""

from __future__ import annotations

import asyncio

from relayline.contracts.commands import Decide
from tests.dev_stack import DevStack


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
    run_id = await stack.submit({"call": "sleep", "arguments": {"seconds": 8}}, {"say": "never"})
    await stack.seen(run_id, "tool.started")
    await stack.send(run_id, "redirect", message="go left", now=False)
    return run_id


async def pause_now(stack: DevStack) -> str:
    """Paused in mid-word, then on."""
    run_id = await stack.submit({"tokens": 400, "every_ms": 20})
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
    call = {"call": "charge", "arguments": {"seconds": 3}}
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
