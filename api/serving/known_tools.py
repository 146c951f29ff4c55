"""The tools of MCP servers, as the newest runs have found them."""

from __future__ import annotations

from collections.abc import Sequence

from relayline.contracts.envelope import moment
from relayline.contracts.events import ToolsListed
from relayline.contracts.keys import tools_key
from relayline.contracts.mcp import McpToolSpec
from relayline.contracts.mcp.views import ServerView
from relayline.contracts.runs import AgentSpec
from relayline.journal.port import JournalError
from relayline.journal.table import RunFilter, Storage, Tenant

NEWEST = 5
"""So many of an agent's newest runs are looked at: the very newest may have listed nothing yet."""


class KnownTools:
    """Tells what is known of the MCP servers of agents; connects to none."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def of(self, tenant: Tenant, agent: AgentSpec) -> tuple[ServerView, ...]:
        """The agent's servers, with the tools that a run of the tenant's has listed.

        While the journal does not answer, no tools are known.
        """
        if not agent.mcp:
            return ()
        try:
            return await self._listed(tenant, agent)
        except JournalError:
            return tuple(ServerView(server=name) for name in agent.mcp)

    async def _listed(self, tenant: Tenant, agent: AgentSpec) -> tuple[ServerView, ...]:
        runs = await self._storage.list_runs(tenant, RunFilter(agent=agent.name), NEWEST)
        for run in runs:
            fact = await self._storage.get(tenant, run.row.run_id, tools_key(0))
            body = fact.body() if fact else None
            if fact and isinstance(body, ToolsListed):
                return _views(agent.mcp, body, fact.at_us)
        return tuple(ServerView(server=name) for name in agent.mcp)


def _views(servers: Sequence[str], body: ToolsListed, at_us: int) -> tuple[ServerView, ...]:
    """The servers; one that the run did not have is not known."""
    tools = [McpToolSpec.model_validate(spec) for spec in body.specs]
    missing = {it.server: it.reason for it in body.missing}
    return tuple(
        ServerView(
            server=name,
            tools=tuple(tool.spec for tool in tools if tool.server == name),
            missing=missing.get(name),
            seen_at=moment(at_us),
        )
        if name in body.servers
        else ServerView(server=name)
        for name in servers
    )
