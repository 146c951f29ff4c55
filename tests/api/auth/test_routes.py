"""Every route asks for a scope, or is one of the few that need no credentials."""

from __future__ import annotations

import json

import pytest
from fastapi import APIRouter
from starlette.responses import Response

from relayline.api.app import ROUTERS
from relayline.api.auth.bearer import is_open
from relayline.api.auth.scopes import scope_of
from relayline.api.depends import Route
from relayline.api.openapi import document
from relayline.api.web.assets import page
from relayline.contracts.principals import Scope
from tests.api.auth.keyed import bearer, headers_of, issued, refused
from tests.api.serving import Api
from tests.docs.scopes import SOCKET, routes

PAGE = {"/", "/runs", "/runs/{run_id}", "/inbox", "/agents", "/system", "/ui/{path:path}"}
PAGE |= {"/schedules", "/schedules/{schedule_id}", "/batches", "/batches/{batch_id}"}
PAGE |= {"/webhooks", "/webhooks/{webhook_id}", "/keys", "/audit", "/signed-in"}
OPEN = {"/healthz", "/readyz", "/docs", "/docs/start.js", "/docs/{name}", "/openapi.json"} | PAGE
WITHOUT_SCOPES: frozenset[Scope] = frozenset()


def test_a_route_without_a_scope_can_not_be_made() -> None:
    router = APIRouter(route_class=Route)

    async def forgotten() -> Response:
        return Response()

    with pytest.raises(TypeError, match="openapi_extra"):
        router.add_api_route("/v1/forgotten", forgotten)


def test_every_route_has_a_scope_but_the_open_ones() -> None:
    found = {route.path: scope_of(route.openapi_extra) for route in routes()}
    assert sum(len(router.routes) for router in ROUTERS) == len([*routes()]) + len([SOCKET])
    assert {path for path, scope in found.items() if scope is None} - {"/v1/auth"} == OPEN
    for path, scope in found.items():
        assert is_open(path) == (scope is None), path


def test_the_document_tells_the_scope_of_each_operation() -> None:
    made = json.loads(document())
    assert "bearer" in made["components"]["securitySchemes"]
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            assert "security" in operation, f"{method} {path}"


async def test_without_credentials_only_open_routes_answer(keyed_api: Api) -> None:
    for route in routes():
        path = route.path.replace("{name}", "swagger-ui.css")
        path = path.replace("{path:path}", f"{page().digest}/main.js")
        for method in route.methods or ():
            answer = await keyed_api.http.request(method, path, content=b"{")
            if is_open(path):
                assert answer.status_code in {200, 405}, (method, path)
                continue
            assert refused(answer) == (401, "unauthenticated"), (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/v1/unknown", "/v1", "/v2/runs", "/v1//runs", "/healthz/"):
        assert (await keyed_api.http.get(path)).status_code == 401, path


async def test_without_its_scope_each_route_is_403_and_names_it(keyed_api: Api) -> None:
    nothing = bearer(await issued(keyed_api.journal, scopes=WITHOUT_SCOPES))
    for route in routes():
        if (wanted := scope_of(route.openapi_extra)) is None:
            continue
        for method in route.methods or ():
            path = route.path.replace("{", "").replace("}", "")
            answer = await keyed_api.http.request(method, path, headers=nothing, content=b"{")
            assert refused(answer) == (403, "forbidden"), (method, path)
            assert answer.json()["scope"] == wanted.value
            assert wanted.value in answer.json()["detail"]


async def test_a_submission_that_streams_also_needs_to_read(keyed_api: Api) -> None:
    may_write = await headers_of(keyed_api.journal, "blue", Scope.RUNS_WRITE)
    body = {"agent": "assistant", "input": "hello"}
    streaming = may_write | {"Accept": "text/event-stream"}
    answer = await keyed_api.http.post("/v1/runs", json=body, headers=streaming)
    assert (*refused(answer), answer.json()["scope"]) == (403, "forbidden", "runs:read")
    assert (await keyed_api.http.post("/v1/runs", json=body, headers=may_write)).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a b"},
        {"Authorization": "Bearer é"},
        {"Authorization": "Bearer rl_test_x"},
        {"Authorization": "Bearer rs_x"},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
        {"Authorization": f"Bearer {'x' * 20_000}"},
    ],
)
async def test_other_credentials_are_refused_in_one_form(
    keyed_api: Api, headers: dict[str, str]
) -> None:
    raw = {name: value.encode() for name, value in headers.items()}
    answer = await keyed_api.http.get("/v1/agents", headers=raw)  # type: ignore[arg-type]
    assert refused(answer) == (401, "unauthenticated")


async def test_two_credentials_in_one_request_are_refused(keyed_api: Api) -> None:
    good = (await headers_of(keyed_api.journal))["Authorization"]
    both = [("Authorization", good), ("Authorization", good)]
    assert (await keyed_api.http.get("/v1/agents", headers=both)).status_code == 401


async def test_no_key_is_taken_from_a_url(keyed_api: Api) -> None:
    key = await issued(keyed_api.journal)
    run = "run_" + "0" * 32
    for path in (f"/v1/runs/{run}/events", "/v1/runs", f"/v1/runs/{run}"):
        answer = await keyed_api.http.get(path, params={"access_token": key.text})
        assert refused(answer) == (401, "unauthenticated"), path
        assert key.text not in answer.text


async def test_readiness_has_details_for_those_who_may_see_them(keyed_api: Api) -> None:
    may = await headers_of(keyed_api.journal, "blue", Scope.SYSTEM_READ)
    may_not = await headers_of(keyed_api.journal, "blue", Scope.RUNS_READ)
    for headers in ({}, may_not, bearer("rl_bad")):
        answer = await keyed_api.http.get("/readyz", headers=headers)
        assert answer.json() == {"status": "ok", "parts": {}, "lacking": {}}
    assert "journal" in (await keyed_api.http.get("/readyz", headers=may)).json()["parts"]


async def test_head_needs_what_get_needs(keyed_api: Api) -> None:
    assert (await keyed_api.http.head("/v1/agents")).status_code == 401
    headers = await headers_of(keyed_api.journal)
    assert (await keyed_api.http.head("/v1/agents", headers=headers)).status_code == 200
