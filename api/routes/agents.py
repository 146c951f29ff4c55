"""Route: the agents of this server."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.depends import Route, UsesAgents, json_response
from relayline.contracts.answers import AgentList, AgentView
from relayline.contracts.principals import Scope

router = APIRouter(tags=["server"], route_class=Route)


@router.get("/v1/agents", response_model=AgentList, openapi_extra=needs(Scope.AGENTS_READ))
async def list_agents(agents: UsesAgents) -> Response:
    """The agents of this server, by name."""
    views = tuple(
        AgentView(
            name=agent.name,
            model=agent.model,
            tools=tuple(tool.name for tool in agent.tools),
            tool_details=agent.tools,
            limits=agent.limits,
            settings=agent.settings,
            fallbacks=agent.fallbacks,
            models=agent.models,
        )
        for agent in sorted(agents.values(), key=lambda agent: agent.name)
    )
    return json_response(AgentList(agents=views))
