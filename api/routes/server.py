"""Routes: what this server offers and how it is."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response
from temporalio.service import RPCError

from relayline.api.depends import Services, Serving, json_response
from relayline.api.errors import TemporalUnavailable
from relayline.contracts.answers import AgentList, AgentView, Health
from relayline.journal.port import JournalUnavailable

PROBE_S = 2.0
"""How long the journal may take for the one page that a probe writes."""
router = APIRouter(tags=["server"])


@router.get("/v1/agents", response_model=AgentList)
async def list_agents(services: Serving) -> Response:
    """The agents that can be run, by name."""
    agents = sorted(services.agents.values(), key=lambda agent: agent.name)
    views = tuple(
        AgentView(
            name=agent.name,
            model=agent.model,
            tools=tuple(tool.name for tool in agent.tools),
            limits=agent.limits,
        )
        for agent in agents
    )
    return json_response(AgentList(agents=views))


@router.get("/healthz", response_model=Health)
async def healthz() -> Response:
    """The process is alive."""
    return json_response(Health(status="ok"))


@router.get("/readyz", response_model=Health, responses={503: {"model": Health}})
async def readyz(services: Serving) -> Response:
    """The journal can be written, Temporal answers and has what runs need; or what is missing."""
    journal, temporal, namespace, lacking = await asyncio.gather(
        _journal(services), _temporal(services), services.namespace.state(), _lacking(services)
    )
    parts = {"journal": journal, "temporal": temporal, "namespace": namespace}
    if all(state == "ok" for state in parts.values()):
        return json_response(Health(status="ok", parts=parts, lacking=lacking))
    headers = {"Retry-After": "1"}
    return json_response(Health(status="unavailable", parts=parts), 503, headers)


async def _journal(services: Services) -> str:
    try:
        async with asyncio.timeout(PROBE_S):
            await services.journal.check()
    except JournalUnavailable as error:
        return str(error)
    except TimeoutError:
        return (
            f"the journal took no write within {PROBE_S:g} s: another process holds its lock, its "
            "disk is slow, or what it is on does not answer"
        )
    return "ok"


async def _temporal(services: Services) -> str:
    try:
        await services.gateway.check()
    except TemporalUnavailable as error:
        return error.detail
    return "ok"


async def _lacking(services: Services) -> dict[str, str]:
    """Kinds of work without workers; empty, too, while that is not known."""
    try:
        return await services.workforce.lacking()
    except (TemporalUnavailable, RPCError):
        return {}


@router.get("/metrics", include_in_schema=False)
async def metrics(services: Serving) -> Response:
    """The exposition format of Prometheus."""
    return Response(services.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
