"""Route: the agents of this server."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.depends import OfTenant, Route, UsesAgents, UsesKnownTools, json_response
from relayline.contracts.operation.agent_answers import AgentList, AgentView
from relayline.contracts.principals import Scope

router = APIRouter(tags=["server"], route_class=Route)


@router.get("/v1/agents", response_model=AgentList, openapi_extra=needs(Scope.AGENTS_READ))
async def list_agents(agents: UsesAgents, known: UsesKnownTools, tenant: OfTenant) -> Response:
    """The agents of the build that new runs go to, by name."""
    await agents.fresh()
    views = [
        AgentView(
            name=agent.name,
            model=agent.model,
            tools=tuple(tool.name for tool in agent.tools),
            tool_details=agent.tools,
            mcp=await known.of(tenant, agent),
            limits=agent.limits,
            output_schema=agent.output_schema,
            settings=agent.settings,
            fallbacks=agent.fallbacks,
            models=agent.models,
        )
        for agent in sorted(agents.values(), key=lambda agent: agent.name)
    ]
    listed = AgentList(agents=tuple(views), build=agents.build, seen_at=agents.seen_at)
    return json_response(listed)
