"""The paths of runs that start others, and of one that another has started."""

from __future__ import annotations

import asyncio

from tests.dev_stack import DevStack
from tests.family.scripts import (
    ASKS_A_PERSON,
    SLEEPS,
    asks,
    below,
    child_of,
    says,
    together,
    until,
)
from tests.resetting import at_rest, child_known, reset, reset_to

_LEAD = {"agent": "lead"}


async def family(stack: DevStack) -> str:
    """Two runs side by side: one waits for a person and is paused, one fails."""
    script = together(asks("steered", ASKS_A_PERSON, says("blue")), asks("steered", {"fail": 401}))
    run_id = await stack.submit(script, says("done"), **_LEAD)
    row = await until(stack, run_id, lambda it: it.get("status") == "waiting")
    await stack.send(run_id, "pause")
    await stack.seen(run_id, "run.paused")
    await stack.send(run_id, "resume")
    await stack.seen(run_id, "run.resumed")
    await stack.send(run_id, "answer", request_id=row["waiting_for"][0]["id"], text="blue")
    return run_id


async def family_member(stack: DevStack) -> str:
    """The run in the middle of three, with questions of its own and below it."""
    deep = asks("steered", ASKS_A_PERSON, says("deep"))
    run_id = await stack.submit(asks("deputy", deep, says("middle")), says("done"), **_LEAD)
    row = await until(stack, run_id, lambda it: it.get("status") == "waiting")
    await stack.send(run_id, "answer", request_id=row["waiting_for"][0]["id"], text="blue")
    await stack.ended(run_id)
    middle: str = (await below(stack, run_id))[0]["run_id"]
    return middle


async def family_cancelled(stack: DevStack) -> str:
    """Cancelled while a run below it works."""
    run_id = await _sleeping(stack)
    await stack.send(run_id, "cancel", reason="enough")
    return run_id


async def family_redirected(stack: DevStack) -> str:
    """Redirected while a run below it works."""
    run_id = await _sleeping(stack)
    await stack.send(run_id, "redirect", message="never mind")
    return run_id


async def family_spent(stack: DevStack) -> str:
    """Two runs use up the budget together."""
    talks = asks("steered", {"tokens": 400}, SLEEPS, says("x"))
    script = together(talks, talks)
    return await stack.submit(script, says("done"), limits={"max_tokens": 600}, **_LEAD)


async def family_rewound(stack: DevStack) -> str:
    """Reset to before a run was begun: another one is started."""
    run_id = await _sleeping(stack, 2)
    await reset(stack, run_id, after_activity=1)
    await _two(stack, run_id)
    return run_id


async def family_rewound_later(stack: DevStack) -> str:
    """Reset while a run below it works: it stays."""
    run_id = await _sleeping(stack, 3)
    await reset_to(stack, run_id, await at_rest(stack, run_id))
    await stack.seen(run_id, "run.rewound")
    return run_id


async def family_rewound_ended(stack: DevStack) -> str:
    """Reset to before the end of a run below, which has ended."""
    nap = {"call": "sleep", "arguments": {"seconds": 2}}
    run_id = await stack.submit(asks("steered", says("low")), nap, says("done"), **_LEAD)
    await stack.seen(run_id, "tool.started")
    await reset_to(stack, run_id, await child_known(stack, run_id))
    await stack.seen(run_id, "run.rewound")
    return run_id


async def family_paused(stack: DevStack) -> str:
    """Paused while a tool of its own works: the run below is told at once."""
    naps = {"call": "sleep", "arguments": {"seconds": 4}}
    script = together(asks("steered", {**naps}, says("slept")), naps)
    run_id = await stack.submit(script, says("done"), **_LEAD)
    child = await child_of(stack, run_id)
    await stack.seen(run_id, "tool.started")
    await stack.send(run_id, "pause")
    await stack.seen(child, "command.accepted")
    await stack.seen(run_id, "run.paused")
    await stack.send(run_id, "resume")
    return run_id


async def _sleeping(stack: DevStack, seconds: float = 60) -> str:
    """A run below which another one's tool is at work."""
    sleeps = {"call": "sleep", "arguments": {"seconds": seconds}}
    run_id = await stack.submit(asks("steered", sleeps, says("slept")), says("done"), **_LEAD)
    await stack.seen(await child_of(stack, run_id), "tool.started")
    return run_id


async def _two(stack: DevStack, run_id: str) -> None:
    """Wait until the run has started a second one."""
    while len(await below(stack, run_id)) < 2:
        await asyncio.sleep(0.05)


FAMILIES = (
    family,
    family_member,
    family_cancelled,
    family_redirected,
    family_spent,
    family_rewound,
    family_rewound_later,
    family_rewound_ended,
    family_paused,
)
OLDER_FAMILIES = ("family_rewound_between",)
"""Recorded histories that no run has any more: reset between the two starts of a run below."""
