"""Short loads, each with the fault that brings one kind of breakage to light."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos.campaign import Load
from tests.chaos.checker import check
from tests.chaos.checks import Violation
from tests.chaos.mcp_agents import MODULE
from tests.chaos.plans import Plan, asks
from tests.chaos.servers import servers_of
from tests.chaos.stacks import chaos_stack
from tests.dev_stack import DevStack
from tests.resetting import reset as reset_run

BOUND_S = 30.0
"""A run that a breakage keeps from ending is looked at as it is then."""
TOOL_THEN_TALK = Plan("reset", ({"call": "note"}, {"tokens": 150, "every_ms": 20}))
Scene = Callable[[DevStack, Load], Awaitable[object]]


async def played(scene: Scene, folder: Path, **env: str) -> list[Violation]:
    """What the checker finds after that scene on a fresh stack."""
    if scene is relist:
        env["RELAYLINE_CATALOG"] = MODULE
    async with chaos_stack(folder, **env) as stack:
        load = Load(stack, 1)
        await scene(stack, load)
        seen = await load.observe(drained_only=scene is drain)
        await load.close()
    return check(seen)


async def talk(stack: DevStack, load: Load) -> None:
    """An answer, streamed; its followers come and go."""
    await _to_end(load, Plan("talk", ({"tokens": 80, "every_ms": 10},)))


async def converse(stack: DevStack, load: Load) -> None:
    """A conversation of three turns, one of whose messages came while it was busy."""
    messages = [(0.0, "messages", {"content": "one"}), (2.0, "messages", {"content": "two"})]
    script = ({"tokens": 40, "every_ms": 20},)
    await _to_end(load, Plan("converse", script, tuple(messages), open=True))


async def calls(stack: DevStack, load: Load) -> None:
    """Tools side by side."""
    several = {"calls": [{"name": "note"}, {"name": "sign"}, {"name": "book"}]}
    await _to_end(load, Plan("calls", (several, {"say": "done"})))


async def fail(stack: DevStack, load: Load) -> None:
    """A command waits for the end of a step in which the run fails."""
    script = ({"tokens": 60, "every_ms": 20}, {"fail": 401})
    later = (0.6, "redirect", {"message": "later", "now": False})
    await _to_end(load, Plan("fail", script, (later,)))


async def kill(stack: DevStack, load: Load, times: int = 1) -> None:
    """Workers are killed in mid-answer."""
    run = asyncio.create_task(_to_end(load, Plan("kill", ({"tokens": 100, "every_ms": 20},))))
    for attempt in range(1, times + 1):
        await _event(stack, load, "message.delta", attempt)
        _signal_workers(stack, signal.SIGKILL)
    await run


async def kill_twice(stack: DevStack, load: Load) -> None:
    """And those that took over, too."""
    await kill(stack, load, 2)


async def kill_in_tool(stack: DevStack, load: Load) -> None:
    """Workers are killed while a tool that must not run twice is at work."""
    script = ({"call": "book", "arguments": {"seconds": 2}}, {"say": "done"})
    run = asyncio.create_task(_to_end(load, Plan("kill", script)))
    await _event(stack, load, "tool.started")
    await asyncio.sleep(0.3)
    _signal_workers(stack, signal.SIGKILL)
    await run


async def kill_before_commit(stack: DevStack, load: Load) -> None:
    """Workers are killed as soon as the workflow goes on after an answer."""
    run = asyncio.create_task(_to_end(load, Plan("kill", ({"call": "note"}, {"say": "done"}))))
    while not load.watched:
        await asyncio.sleep(0.01)
    path = f"/v1/runs/{load.watched[0].run_id}/progress"
    async with asyncio.timeout(BOUND_S):
        while not (await stack.client.get(path)).json().get("usage", {}).get("output_tokens"):
            await asyncio.sleep(0.01)
    _signal_workers(stack, signal.SIGKILL)
    await run


async def oversleep(stack: DevStack, load: Load) -> None:
    """A worker is stopped in mid-answer, and goes on when another has taken over."""
    run = asyncio.create_task(_to_end(load, Plan("stop", ({"tokens": 300, "every_ms": 20},))))
    await _event(stack, load, "message.delta")
    stopped = await _speaker(stack, load)
    os.kill(stopped, signal.SIGSTOP)
    await _event(stack, load, "message.delta", 2)
    os.kill(stopped, signal.SIGCONT)
    await run


async def tell(stack: DevStack, load: Load) -> None:
    """A receiver of webhooks is down until the run has ended, and workers are killed meanwhile."""
    await load.open_receiver(down_s=10 * BOUND_S)
    run = asyncio.create_task(_to_end(load, Plan("tell", ({"tokens": 40, "every_ms": 20},))))
    await _event(stack, load, "message.delta")
    _signal_workers(stack, signal.SIGKILL)
    await run
    await asyncio.sleep(1)


async def bereave(stack: DevStack, load: Load) -> None:
    """An operator terminates a run while another one works below it."""
    call = asks("helper", {"calls": [{"name": "sleep", "arguments": {"seconds": 40}}]})
    script = ({"calls": [call]}, {"say": "done"})
    run = asyncio.create_task(_to_end(load, Plan("bereave", script, agent="top")))
    child = (await _event(stack, load, "child.started", 0))["data"]["run_id"]
    await stack.seen(child, "tool.started")
    temporal = await stack.temporal()
    await temporal.get_workflow_handle(load.watched[0].run_id).terminate("enough")
    await run


async def relist(stack: DevStack, load: Load) -> None:
    """The processes of an MCP server are killed between two steps; new ones define a tool anew."""
    later = {"call": "desk_edition"}
    script = ({"call": "desk_note"}, {"tokens": 20, "every_ms": 20}, later, later, {"say": "done"})
    run = asyncio.create_task(_to_end(load, Plan("relist", script, agent="clerk")))
    await _event(stack, load, "tool.completed")
    for server in servers_of(stack.pids_of("worker")):
        os.kill(server, signal.SIGKILL)
    await run


async def fork(stack: DevStack, load: Load) -> None:
    """A run is forked when it has ended."""
    more = json.dumps({"rehearse": [{"say": "more"}]})
    await _to_end(load, Plan("fork", ({"call": "note"}, {"say": "done"}), fork=more))


async def drain(stack: DevStack, load: Load) -> None:
    """Workers are asked to stop in mid-answer."""
    run = asyncio.create_task(_to_end(load, Plan("drain", ({"tokens": 80, "every_ms": 20},))))
    await _event(stack, load, "message.delta")
    _signal_workers(stack, signal.SIGTERM)
    await run


async def terminate(stack: DevStack, load: Load) -> None:
    """An operator terminates a run whose worker hangs in mid-answer, and which then goes on."""
    run = asyncio.create_task(_to_end(load, Plan("end", ({"tokens": 200, "every_ms": 20},))))
    await _event(stack, load, "message.delta")
    stopped = await _speaker(stack, load)
    os.kill(stopped, signal.SIGSTOP)
    temporal = await stack.temporal()
    await temporal.get_workflow_handle(load.watched[0].run_id).terminate("enough")
    await load.watched[0].person.view()
    os.kill(stopped, signal.SIGCONT)
    await run
    await asyncio.sleep(1)


async def reset(stack: DevStack, load: Load) -> None:
    """An operator resets a run in mid-answer to the answer before, whose tool then runs anew."""
    run = asyncio.create_task(_to_end(load, TOOL_THEN_TALK))
    await _event(stack, load, "message.delta")
    await _reset(stack, load)
    await run


async def reset_of_a_sleeper(stack: DevStack, load: Load) -> None:
    """Meanwhile the worker that streams is stopped; it goes on when the answer is begun anew."""
    run = asyncio.create_task(_to_end(load, TOOL_THEN_TALK))
    await _event(stack, load, "message.delta")
    stopped = await _speaker(stack, load)
    os.kill(stopped, signal.SIGSTOP)
    await _reset(stack, load)
    await _event(stack, load, "message.delta", after="run.rewound")
    os.kill(stopped, signal.SIGCONT)
    await run


async def _reset(stack: DevStack, load: Load) -> None:
    [watched] = load.watched
    async with watched.hands:
        await reset_run(stack, watched.run_id, after_activity=1)
        await _event(stack, load, "run.rewound", 0)
        watched.resets += 1


async def _to_end(load: Load, plan: Plan) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(load.run(plan, 0), BOUND_S)


async def _event(
    stack: DevStack, load: Load, kind: str, attempt: int = 1, after: str = "run.started"
) -> dict[str, Any]:
    """The first such event of the run in that attempt or a later one, once it is there."""
    async with asyncio.timeout(BOUND_S):
        while True:
            passed = False
            for event in await stack.events(load.watched[0].run_id) if load.watched else ():
                passed = passed or event["type"] == after
                if passed and event["type"] == kind and event.get("attempt", 0) >= attempt:
                    return event
            await asyncio.sleep(0.02)


async def _speaker(stack: DevStack, load: Load) -> int:
    """The pid of the worker that streams the answer, as Temporal knows it."""
    temporal = await stack.temporal()
    found = await temporal.get_workflow_handle(load.watched[0].run_id).describe()
    [activity] = found.raw_description.pending_activities
    return int(activity.last_worker_identity.partition("@")[0])


def _signal_workers(stack: DevStack, number: signal.Signals) -> None:
    for worker in stack.state["workers"]:
        with suppress(ProcessLookupError):
            os.kill(worker["pid"], number)
