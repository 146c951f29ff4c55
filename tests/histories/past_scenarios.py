"""The paths of runs that begin with a past through `AgentRun`."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from relayline.contracts.runs import TASK_QUEUE, AgentSpec, Past, RunInput
from relayline.workflows.agent_run import AgentRun
from tests.dev_stack import DevStack
from tests.resetting import reset

LOOK = {"call": "calculate", "arguments": {"expression": "6*7"}}
DONE = {"say": "that is all"}
MORE = '{"rehearse": [{"call": "sleep", "arguments": {"seconds": 0}}, {"say": "and more"}]}'


async def fork(stack: DevStack, run_id: str, **body: Any) -> str:
    """Fork a run; the fork's id."""
    answer = await stack.client.post(f"/v1/runs/{run_id}/fork", json=body)
    assert answer.status_code == 202, answer.text
    fork_id: str = answer.json()["run_id"]
    return fork_id


async def forked(stack: DevStack) -> str:
    """Forked from its second step, with another result."""
    run_id = await stack.submit(LOOK, LOOK, DONE)
    await stack.ended(run_id)
    return await fork(stack, run_id, from_step=2, edits=[{"call_id": "call_1_0", "output": "43"}])


async def forked_for_an_answer(stack: DevStack) -> str:
    """Forked for one answer; the tool that it asks for does not run."""
    run_id = await stack.submit(LOOK, LOOK, DONE)
    await stack.ended(run_id)
    return await fork(stack, run_id, from_step=2, steps=1)


async def forked_conversation(stack: DevStack) -> str:
    """A fork continues an ended conversation, and is closed."""
    run_id = await stack.submit(DONE, open=True)
    await stack.seen(run_id, "turn.completed")
    await stack.send(run_id, "close")
    await stack.ended(run_id)
    fork_id = await fork(stack, run_id, message=MORE)
    await stack.seen_text(fork_id, "and more")
    await stack.send(fork_id, "close")
    return fork_id


async def fork_reset(stack: DevStack) -> str:
    """A fork that is reset to its beginning: it keeps its past, and does the rest again."""
    fork_id = await forked(stack)
    await stack.ended(fork_id)
    await reset(stack, fork_id, after_activity=1)
    await stack.seen(fork_id, "run.rewound")
    await stack.ended(fork_id)
    return fork_id


async def with_history(stack: DevStack) -> str:
    """A history was given, and the run starts later."""
    history = [{"role": "user", "content": "6*7?"}, {"role": "assistant", "content": "42"}]
    return await stack.submit(DONE, history=history, delay_s=2)


async def past_gone(stack: DevStack) -> str:
    """The run of which it is a fork is gone: it fails."""
    run_id = f"run_{uuid4().hex}"
    given = RunInput(
        run_id=run_id,
        agent=AgentSpec(name="fork", model="rehearsal"),
        input="go on",
        past=Past(run_id="run_0123456789abcdef", seq=9, step=3),
    )
    temporal = await stack.temporal()
    await temporal.start_workflow(AgentRun.run, given, id=run_id, task_queue=TASK_QUEUE)
    await stack.seen(run_id, "run.failed")
    return run_id


PASTS = (
    forked,
    forked_for_an_answer,
    forked_conversation,
    fork_reset,
    with_history,
    past_gone,
)
