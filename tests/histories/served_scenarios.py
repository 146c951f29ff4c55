"""The paths through `AgentRun` on which tools of MCP servers are called."""

from __future__ import annotations

from relayline.contracts.commands import Answer
from tests.dev_stack import DevStack


async def served(stack: DevStack) -> str:
    """Two servers are listed; one call runs at once, one after its approval."""
    calls = [
        {"name": "odd_count", "arguments": {"to": 2}},
        {"name": "odd_shape", "arguments": {"side": 3}},
    ]
    run_id = await stack.submit({"calls": calls}, {"say": "done"}, agent="clerk")
    await stack.seen(run_id, "approval.requested")
    edited = {"decision": "approve", "arguments": {"side": 4}}
    await stack.send(run_id, "approvals/approval_1_1", **edited)
    return run_id


async def served_question(stack: DevStack) -> str:
    """A server asks in a call; the first answer misfits."""
    order = {"call": "odd_order", "arguments": {"what": "tea"}}
    run_id = await stack.submit(order, {"say": "done"}, agent="clerk")
    await stack.seen_text(run_id, "input_1_0_0_0")
    await stack.signal(run_id, Answer(request_id="input_1_0_0_0", text="large"))
    await stack.seen_text(run_id, "input_1_0_1_0")
    await stack.send(run_id, "answer", request_id="input_1_0_1_0", text="4")
    return run_id


async def served_unknown(stack: DevStack) -> str:
    """A server dies in an unsafe call: run again, and then it happened."""
    run_id = await stack.submit({"call": "odd_die"}, {"say": "done"}, agent="clerk")
    await stack.seen_text(run_id, "outcome_1_0_1")
    await stack.send(run_id, "answer", request_id="outcome_1_0_1", text="run it")
    await stack.seen_text(run_id, "outcome_1_0_2")
    await stack.send(run_id, "answer", request_id="outcome_1_0_2", text="happened: it died")
    return run_id


SERVED = (served, served_question, served_unknown)
