"""Agents that ask other agents: the tool that the model sees, and who can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from relayline.contracts.family.asking import MAX_DEPTH
from relayline.contracts.runs import AgentSpec, ToolSpec

if TYPE_CHECKING:
    from pydantic import JsonValue

    from relayline.catalog.agents import Agent

MAX_MESSAGE_CHARS = 65_536
ASK = "ask_"
_PARAMETERS: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "message": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_MESSAGE_CHARS,
            "description": "All that the other agent must know: it sees nothing else.",
        }
    },
    "required": ["message"],
    "additionalProperties": False,
}


def ask_tool(name: str, description: str) -> ToolSpec:
    """The tool by which a model asks the agent of that name.

    Raises:
        ValidationError: the name is too long.
    """
    told = f"Ask the agent {name}. It works on your message in a run of its own and answers."
    return ToolSpec(
        name=f"{ASK}{name}",
        description=f"{told} {description}".rstrip(),
        parameters=_PARAMETERS,
        agent=name,
    )


def asked_by(spec: AgentSpec) -> tuple[str, ...]:
    """The names of the agents that this one may ask."""
    return tuple(tool.agent for tool in spec.tools if tool.agent)


def reachable(agents: Mapping[str, AgentSpec], spec: AgentSpec) -> dict[str, AgentSpec]:
    """The agents that this one may ask, and those that these may ask, by name.

    Args:
        agents: All agents; none is in a circle.
        spec: The agent.
    """
    found: dict[str, AgentSpec] = {}
    waiting = [*asked_by(spec)]
    while waiting:
        name = waiting.pop()
        if name not in found and name in agents:
            found[name] = agents[name]
            waiting += asked_by(agents[name])
    return found


def listed(agents: Sequence[Agent]) -> Iterator[Agent]:
    """These agents, and those that only another one lists; each may come several times."""
    waiting, seen = [*agents], set[int]()
    while waiting:
        agent = waiting.pop(0)
        yield agent
        if id(agent) not in seen:
            seen.add(id(agent))
            waiting += [it for it in agent.agents if not isinstance(it, str)]


def problem_of(agents: Mapping[str, AgentSpec]) -> str | None:
    """Why these agents can't ask each other as they are declared, None if they can."""
    for name in agents:
        if problem := _problem(agents, (name,)):
            return problem
    return None


def _problem(agents: Mapping[str, AgentSpec], way: tuple[str, ...]) -> str | None:
    """The same of the agents that the last one on this way may ask."""
    for name in asked_by(agents[way[-1]]):
        shown = " asks ".join((*way, name))
        if name not in agents:
            known = ", ".join(sorted(agents))
            return f"agent {way[-1]!r}: unknown agent {name!r}; known agents: {known}"
        if name in way:
            return f"agents ask each other in a circle: {shown}"
        if len(way) >= MAX_DEPTH:
            return f"more than {MAX_DEPTH} agents ask each other in a row: {shown}"
        if problem := _problem(agents, (*way, name)):
            return problem
    return None
