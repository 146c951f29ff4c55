"""The paths of conversations through `AgentRun`."""

from __future__ import annotations

import asyncio

from tests.dev_stack import DevStack

ANSWER = {"say": "hello"}


async def turns(stack: DevStack) -> str:
    """Three turns: one as submitted, one while idle, one that waited; then closed."""
    run_id = await stack.submit(ANSWER, open=True)
    await stack.seen(run_id, "turn.completed")
    await stack.send(run_id, "messages", content='{"rehearse": [{"tokens": 60, "every_ms": 20}]}')
    await stack.seen_text(run_id, "turn 2 begins")
    await stack.send(run_id, "messages", content="and then?")
    await stack.seen_text(run_id, "turn 3 begins")
    await stack.send(run_id, "close")
    return run_id


async def turn_redirected(stack: DevStack) -> str:
    """A message interrupts the turn, a limit ends the next, a cancel the third."""
    speech = {"tokens": 2000, "every_ms": 20}
    run_id = await stack.submit(speech, open=True, limits={"max_steps": 2})
    await stack.seen(run_id, "message.delta")
    await stack.send(run_id, "messages", content="go left", if_busy="redirect")
    await stack.seen(run_id, "turn.completed")
    call = '{"call": "sleep", "arguments": {"seconds": 0}}'
    await stack.send(run_id, "messages", content=f'{{"rehearse": [{call}, {call}, {call}]}}')
    await stack.seen(run_id, "budget.exceeded")
    script = '{"rehearse": [{"tokens": 2000, "every_ms": 20}]}'
    await stack.send(run_id, "messages", content=script)
    await stack.seen_text(run_id, "turn 3 begins")
    await asyncio.sleep(0.3)
    await stack.send(run_id, "cancel", scope="turn")
    await stack.seen_text(run_id, "cancelled")
    await stack.send(run_id, "cancel")
    return run_id


async def todays_agent(stack: DevStack) -> str:
    """A turn has today's agent; another message waits, so the run does not continue as new."""
    script = '{"rehearse": [{"tokens": 2000, "every_ms": 20}]}'
    run_id = await stack.submit({"tokens": 2000, "every_ms": 20}, open=True)
    await stack.seen(run_id, "message.delta")
    await stack.send(run_id, "messages", content=script, agent="catalog")
    await stack.send(run_id, "messages", content="and then?")
    await stack.send(run_id, "cancel", scope="turn")
    await stack.seen_text(run_id, "turn 2 begins with the agent of today")
    await asyncio.sleep(1)
    await stack.send(run_id, "cancel")
    return run_id


async def idle_too_long(stack: DevStack) -> str:
    """Nobody says anything more, so it ends."""
    return await stack.submit(ANSWER, open={"idle_s": 1})
