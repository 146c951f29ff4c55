"""The paths through `AgentRun` whose histories are kept and replayed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from uuid import uuid4

from relayline.contracts.runs import TASK_QUEUE, AgentSpec, RunInput, ToolSpec
from relayline.workflows.agent_run import AgentRun
from tests.dev_stack import DevStack
from tests.histories import past_scenarios as past
from tests.histories import patched_scenarios as patched
from tests.histories import steering_scenarios as steering
from tests.histories import turn_scenarios as turning
from tests.histories.fallback_scenarios import FALLBACKS
from tests.histories.family_scenarios import FAMILIES
from tests.histories.served_scenarios import SERVED
from tests.histories.structured_scenarios import STRUCTURED
from tests.resetting import reset

PRICES = "rehearsal=1000/2000"
"""US dollars for a million tokens, for those with a limit of cost."""
Scenario = Callable[[DevStack], Awaitable[str]]
"""Plays one path to its end; gives the run's id."""


async def happy_path(stack: DevStack) -> str:
    """A tool call and an answer."""
    return await stack.submit(
        {"say": "let me see"},
        {"call": "calculate", "arguments": {"expression": "6*7"}},
        {"say": "forty-two"},
    )


async def scheduled(stack: DevStack) -> str:
    """Submitted for later; paused, redirected and resumed before its time."""
    run_id = await stack.submit({"say": "never"}, delay_s=6)
    for command, body in (("pause", {}), ("redirect", {"message": "be brief"}), ("resume", {})):
        command_id = await stack.send(run_id, command, **body)
        await stack.outcome(run_id, command_id)
    return run_id


async def scheduled_cancelled(stack: DevStack) -> str:
    """Submitted for later, and cancelled before its time."""
    run_id = await stack.submit({"say": "never"}, delay_s=3600)
    await stack.send(run_id, "cancel")
    return run_id


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
    run_id = await stack.submit({"call": "sleep", "arguments": {"seconds": 8}}, {"say": "done"})
    await stack.seen(run_id, "tool.started")
    await stack.send(run_id, "pause")
    await stack.seen(run_id, "run.paused")
    await stack.send(run_id, "pause")
    await stack.seen(run_id, "command.refused")
    await stack.send(run_id, "resume")
    return run_id


async def cancel_in_model(stack: DevStack) -> str:
    """Cancelled while the model speaks."""
    run_id = await stack.submit({"tokens": 2000, "every_ms": 20})
    await stack.seen(run_id, "message.delta")
    await stack.send(run_id, "cancel", reason="enough")
    return run_id


async def cancel_in_tools(stack: DevStack) -> str:
    """Cancelled while two tools run."""
    calls = [{"name": "sleep", "arguments": {"seconds": 30}} for _ in range(2)]
    run_id = await stack.submit({"calls": calls}, {"say": "never"})
    await stack.seen(run_id, "tool.started")
    await stack.send(run_id, "cancel")
    return run_id


async def cancel_while_paused(stack: DevStack) -> str:
    """Cancelled while nothing runs."""
    run_id = await stack.submit({"call": "sleep", "arguments": {"seconds": 8}}, {"say": "never"})
    await stack.send(run_id, "pause")
    await stack.seen(run_id, "run.paused")
    await stack.send(run_id, "cancel")
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


async def out_of_money(stack: DevStack) -> str:
    """The run has cost as much as it may: raised once, then denied."""
    call = {"call": "sleep", "arguments": {"seconds": 0}}
    limits = {"max_cost": 0.01, "on_limit": "ask"}
    run_id = await stack.submit(*[call] * 20, limits=limits)
    await stack.seen(run_id, "approval.requested")
    more = {"decision": "approve", "arguments": {"raise_to": 0.2}}
    await stack.send(run_id, "approvals/approval_budget_1", **more)
    await stack.seen_text(run_id, "approval_budget_2")
    await stack.send(run_id, "approvals/approval_budget_2", decision="deny")
    return run_id


async def out_of_time(stack: DevStack) -> str:
    """The wall clock runs out while a tool runs."""
    call = {"call": "sleep", "arguments": {"seconds": 30}}
    return await stack.submit(call, limits={"max_wall_s": 1})


async def continued(stack: DevStack) -> str:
    """So many steps that the run goes on in a new execution; the last one's history is kept."""
    return await _long(stack, ToolSpec(name="sleep"))


async def pinned(stack: DevStack) -> str:
    """The same with an agent that is so large that steps have its digest."""
    return await _long(stack, ToolSpec(name="sleep", description="Sleeps. " * 1200))


async def _long(stack: DevStack, tool: ToolSpec) -> str:
    call = {"call": "sleep", "arguments": {"seconds": 0}}
    script = json.dumps({"rehearse": [call] * 6 + [{"say": "done"}]})
    agent = AgentSpec(name="long", model="rehearsal", tools=(tool,))
    run_id = f"run_{uuid4().hex}"
    run_input = RunInput(run_id=run_id, agent=agent, input=script, history_bound=40)
    temporal = await stack.temporal()
    await temporal.start_workflow(AgentRun.run, run_input, id=run_id, task_queue=TASK_QUEUE)
    await stack.seen(run_id, "run.completed")
    return run_id


SHIFTS = {"housekeeping": 1, "housekeeping_shift": 3, "housekeeping_erasures": 2}
"""The rounds of each recorded shift of housekeeping, which no scenario plays."""


BATCHES = {"batch": False, "batch_cancelled": True}
"""Recorded batches: whether they are cancelled while they start."""


SUBMISSIONS = ("submit",)
"""A time of a schedule that waits for the end of its run."""


async def rewound(stack: DevStack) -> str:
    """Reset to the second message: its tool runs again."""
    call = {"call": "sleep", "arguments": {"seconds": 0}}
    run_id = await stack.submit(call, {"say": "then"}, call, {"say": "done"})
    await stack.ended(run_id)
    await reset(stack, run_id, after_activity=3)
    await stack.seen(run_id, "run.rewound")
    return run_id


SCENARIOS: tuple[Scenario, ...] = (
    happy_path,
    scheduled,
    scheduled_cancelled,
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
    out_of_money,
    out_of_time,
    continued,
    pinned,
    rewound,
    steering.redirect_in_model,
    steering.redirect_in_tools,
    steering.redirect_after_step,
    steering.pause_now,
    steering.approvals,
    steering.approval_expires,
    steering.held_by_a_pause,
    steering.questions,
    steering.cancel_while_waiting,
    steering.budget_raised,
    steering.time_raised,
    steering.outcome_happened,
    steering.outcome_run_again,
    steering.outcome_stop,
    turning.turns,
    turning.turn_redirected,
    turning.todays_agent,
    turning.idle_too_long,
    *past.PASTS,
    *STRUCTURED,
    patched.stop_told,
    patched.named_calls,
    patched.rewound_alone,
    patched.undecoded_signal,
    *FAMILIES,
    *SERVED,
    *FALLBACKS,
)
KILLING = (
    worker_killed,
    steering.outcome_happened,
    steering.outcome_run_again,
    steering.outcome_stop,
)
"""Those in which the worker dies: each wants a stack for itself."""
TELLING = "webhook"
"""The recorded workflow of a receiver that takes a delivery at the second try."""
