"""Routes: health and metrics of this server."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from relayline.api.auth.scopes import OPEN, needs, principal_of
from relayline.api.depends import Route, UsesMetrics, UsesReadiness, UsesSystem, json_response
from relayline.api.serving.readiness import known_to
from relayline.contracts.operation.system import Health, SystemView
from relayline.contracts.principals import Scope

router = APIRouter(tags=["server"], route_class=Route)


@router.get("/healthz", response_model=Health, openapi_extra=OPEN)
async def healthz() -> Response:
    """The process is alive."""
    return json_response(Health(status="ok"))


@router.get(
    "/readyz", response_model=Health, responses={503: {"model": Health}}, openapi_extra=OPEN
)
async def readyz(request: Request, readiness: UsesReadiness) -> Response:
    """Ready if the journal can be written and Temporal has what runs need; else what is missing."""
    health = known_to(principal_of(request), await readiness.check())
    if health.status == "ok":
        return json_response(health)
    return json_response(health, 503, {"Retry-After": "1"})


@router.get("/v1/system", response_model=SystemView, openapi_extra=needs(Scope.SYSTEM_READ))
async def get_system(system: UsesSystem) -> Response:
    """The server for those who operate it: parts, workers, limits, version; always 200."""
    return json_response(await system.view())


@router.get("/metrics", include_in_schema=False, openapi_extra=needs(Scope.METRICS_READ))
async def metrics(counters: UsesMetrics) -> Response:
    """The exposition format of Prometheus."""
    return Response(counters.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
