"""The tools of a step: the agent's own, and those of its MCP servers, which the run pins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from relayline.activities.attempt import Attempt
from relayline.activities.threads import in_thread
from relayline.activities.tool.mcp.port import McpFailure, McpTools
from relayline.activities.tool.served.pinned import LISTED, PinnedList, PinnedTools, listed_fact
from relayline.contracts.calls import ModelRequest
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import ToolsListed
from relayline.contracts.keys import INHERITED_PREFIX, epoch_prefix, tools_key
from relayline.contracts.mcp import Listing, McpToolSpec
from relayline.contracts.mcp.planned import McpPlan
from relayline.contracts.runs import AgentSpec
from relayline.projections.projection import data_of

MAX_LIST_BYTES = 4 * 1024 * 1024
"""Limit for all tools of an agent's MCP servers together, as JSON."""
_STARTED, _SAID = "step.started", "message.completed"


class Toolset(NamedTuple):
    """An agent with all its tools."""

    agent: AgentSpec
    mcp: Mapping[str, McpToolSpec] = MappingProxyType({})
    """Those of MCP servers, by name; `agent` has them, too."""
    listed: str = ""
    """Key of the fact that has them."""

    def plan(self, name: str) -> McpPlan | None:
        """What the workflow must know of that tool; None unless an MCP server has it."""
        tool = self.mcp.get(name)
        if tool is None:
            return None
        spec = tool.spec
        return McpPlan(
            server=tool.server,
            listed=self.listed,
            effects=spec.effects,
            approval_timeout_s=spec.approval_timeout_s,
            timeout_s=spec.timeout_s,
            retries=spec.retries,
        )


class StepTools:
    """Finds the tools of steps, and lists MCP servers where a list is due.

    That is in the first step of an epoch and, in an open run, of each turn. All other steps,
    attempts and workers have what was listed then, whatever the servers offer meanwhile.
    """

    def __init__(self, servers: McpTools | None, pins: PinnedTools) -> None:
        self._servers = servers
        self._pins = pins

    async def pinned(self, agent: AgentSpec, facts: Sequence[StoredEvent]) -> Toolset:
        """The agent with the tools that the run has by now.

        Args:
            agent: As in the run's input.
            facts: Of the run, those that count.
        """
        pinned = await self._newest(agent, facts)
        return _joined(agent, pinned) if pinned else Toolset(agent)

    async def of(
        self,
        attempt: Attempt,
        request: ModelRequest,
        agent: AgentSpec,
        facts: Sequence[StoredEvent],
    ) -> Toolset:
        """The tools of the step; lists the servers first if that is due.

        Raises:
            McpFailure: a server that is not optional can't be listed, or a name is taken twice.
            ApplicationError: the journal's errors, as in `Attempt`.
        """
        if not agent.mcp:
            return Toolset(agent)
        pinned = await self._newest(agent, facts)
        in_epoch = pinned is not None and _belongs(pinned.key, request.epoch)
        if pinned and in_epoch and not _begins_turn(request.step, pinned.key, facts):
            return _joined(agent, pinned)
        body = await self._listed(request, agent)
        if pinned and in_epoch and pinned.sha256 == body.sha256:
            return _joined(agent, pinned)
        key = _free_key(request, facts)
        event = NewEvent(body=body, step=request.step, attempt=attempt.number, key=key)
        await attempt.append(event)
        return _joined(agent, await self._pins.at(attempt, key))

    async def _newest(self, agent: AgentSpec, facts: Sequence[StoredEvent]) -> PinnedList | None:
        """The newest list of the agent's servers; another agent may have had the run before."""
        for fact in reversed(facts if agent.mcp else ()):
            if fact.type == LISTED and (pinned := await self._pins.of(fact)).servers == agent.mcp:
                return pinned
        return None

    async def _listed(self, request: ModelRequest, agent: AgentSpec) -> ToolsListed:
        if self._servers is None:
            raise McpFailure("this worker can't reach MCP servers", retryable=False)
        listing = await self._servers.listed(agent.mcp, request.run_id)
        taken = {spec.name for spec in agent.tools}
        if clash := next((it for it in listing.tools if it.spec.name in taken), None):
            text = f"{clash.tool} of MCP server {clash.server} has the name of a tool of the agent"
            raise McpFailure(f"{text}: {clash.spec.name}", retryable=False)
        sizes = [""] * len(listing.tools)
        return await in_thread(partial(_bounded, agent, listing), sizes)


def _bounded(agent: AgentSpec, listing: Listing) -> ToolsListed:
    body = listed_fact(agent.mcp, listing)
    size = len(body.model_dump_json())
    if size > MAX_LIST_BYTES:
        text = f"the tools of its MCP servers take {size} bytes, the limit is {MAX_LIST_BYTES}"
        raise McpFailure(f"{text}: offer fewer with McpServer(tools=…)", retryable=False)
    return body


def _joined(agent: AgentSpec, pinned: PinnedList) -> Toolset:
    specs = tuple(tool.spec for tool in pinned.tools.values())
    whole = agent.model_copy(update={"tools": (*agent.tools, *specs)})
    return Toolset(whole, pinned.tools, pinned.key)


def _belongs(key: str, epoch: int) -> bool:
    """True for a list of the epoch; a fork begins with that of the run that it is a fork of."""
    return key.startswith(epoch_prefix(epoch)) or (epoch == 0 and key.startswith(INHERITED_PREFIX))


def _free_key(request: ModelRequest, facts: Sequence[StoredEvent]) -> str:
    """The key of a list that the step makes."""
    key = tools_key(request.epoch)
    if any(fact.key == key for fact in facts):
        return tools_key(request.epoch, _turns(facts).get(request.step) or 1)
    return key


def _begins_turn(step: int, listed: str, facts: Sequence[StoredEvent]) -> bool:
    """True if no answer of the step's turn, and not the list, has come yet; in an open run."""
    turns = _turns(facts)
    if turns.get(step) is None:
        return False
    done = (fact for fact in facts if fact.type == _SAID or fact.key == listed)
    return all(turns.get(fact.step or 0) != turns[step] for fact in done)


def _turns(facts: Sequence[StoredEvent]) -> dict[int, int | None]:
    """The turn of each step; None in a run that is not open."""
    started = ((it.step or 0, data_of(it).get("turn")) for it in facts if it.type == _STARTED)
    return {step: turn if isinstance(turn, int) else None for step, turn in started}
