"""The agent of a run: pinned at the start, and again when a message asks for that of today."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import agent_sha256, is_large
    from relayline.contracts.commands import SendMessage
    from relayline.contracts.runs import AgentSpec
    from relayline.workflows.run import Run

_AGENT_BY_DIGEST = "agent-by-digest"
"""Patch id: runs that started before send the whole agent with each model call."""


def _by_digest(agent: AgentSpec) -> bool:
    """True if steps need not repeat the agent: it is large, or has tools of MCP servers."""
    return bool(agent.mcp) or is_large(agent)


def pin_agent(run: Run) -> None:
    """Have a large agent journaled once; model calls then have its digest instead of it.

    Every execution does so: the one that it continues may not have known of it.
    """
    agent = run.input.agent
    if _by_digest(agent) and workflow.patched(_AGENT_BY_DIGEST):
        run.pending.add(run.facts.agent(agent))
        run.dispatcher.agent_sha256 = agent_sha256(agent)


def take_agent(run: Run, message: SendMessage) -> None:
    """Have the message's agent from now on, if it has one, with its model and limits.

    The run then continues as new as soon as no message waits, because the tools of that agent may
    be those of a newer build.
    """
    agent = message.spec
    if agent is None:
        return
    run.input = run.input.model_copy(update={"agent": agent, "agents": message.specs})
    run.state.limits = agent.limits
    run.pending.add(run.facts.agent(agent))
    run.dispatcher.take_agent(run.input, agent_sha256(agent) if _by_digest(agent) else "")
    run.took_agent = True
