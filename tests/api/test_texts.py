"""Texts that no encoding can write, and parameters that no route knows, are 4xx that name them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.openapi.utils import get_openapi

from relayline.api.app import bare_app
from relayline.api.bodies import lone_surrogate
from tests.api.asking import refusal
from tests.api.serving import Api, run_id

pytestmark = pytest.mark.slow

HALF = "\ud83d"
RUN = "/v1/runs/run_0123456789abcdef0123456789abcdef"
GOOD = {"agent": "assistant", "input": "x"}


def sent(body: Any) -> dict[str, Any]:
    """As `\\ud83d` in ASCII, which is good JSON."""
    return {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/runs", {**GOOD, "agent": HALF}, "agent"),
        ("/v1/runs", {**GOOD, "input": f"a{HALF}b"}, "input"),
        ("/v1/runs", {**GOOD, "model": f"compatible:a{HALF}"}, "model"),
        ("/v1/runs", {**GOOD, "model": HALF + "\ude00" + HALF}, "model"),
        ("/v1/runs", {**GOOD, "metadata": {"tenant": HALF}}, "metadata.tenant"),
        ("/v1/runs", {**GOOD, "metadata": {f"k{HALF}": "v"}}, "metadata.k\\ud83d"),
        ("/v1/runs", {**GOOD, "limits": {"on_limit": HALF}}, "limits.on_limit"),
        ("/v1/runs", {**GOOD, "webhook": [{"url": HALF}]}, "webhook.0.url"),
        ("/v1/runs", {**GOOD, HALF: 1}, "\\ud83d"),
        ("/v1/runs", HALF, "body"),
        (f"{RUN}/pause", {"by": HALF}, "by"),
        (f"{RUN}/resume", {"command_id": HALF}, "command_id"),
        (f"{RUN}/redirect", {"message": HALF}, "message"),
        (f"{RUN}/cancel", {"reason": HALF}, "reason"),
        (f"{RUN}/messages", {"content": HALF}, "content"),
        (f"{RUN}/answer", {"request_id": HALF, "text": "x"}, "request_id"),
        (f"{RUN}/answer", {"request_id": "x", "text": HALF}, "text"),
        (f"{RUN}/approvals/a", {"decision": "approve", "note": HALF}, "note"),
        (f"{RUN}/approvals/a", {"decision": "approve", "arguments": {"x": HALF}}, "arguments.x"),
    ],
)
async def test_half_a_surrogate_pair_is_refused_wherever_it_stands(
    lonely_api: Api, path: str, body: Any, field: str
) -> None:
    answer = await lonely_api.http.post(path, **sent(body))
    assert refusal(answer) == (422, "invalid-field")
    assert answer.json()["field"] == field
    assert "surrogate" in answer.json()["detail"]


def test_a_whole_pair_is_a_character_and_depth_is_no_matter() -> None:
    assert lone_surrogate(json.loads(json.dumps({"a": ["😀", {"ключ": "значение"}]}))) is None
    deep: Any = "x" + HALF
    for _ in range(5_000):
        deep = [deep]
    assert lone_surrogate(deep) == ".".join("0" * 5_000)


def test_a_long_name_over_many_values_costs_no_more_than_its_body() -> None:
    """Half a million paths of 500 KB each would be more than any machine has."""
    assert lone_surrogate({"k" * 500_000: ["x"] * 500_000}) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "Expecting property name"),
        (b'{"agent": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"agent": ' + b"1" * 5_000 + b"}", "too many digits"),
    ],
)
async def test_a_body_that_is_no_json_is_named_with_the_cause(
    lonely_api: Api, content: bytes, why: str
) -> None:
    for path in ("/v1/runs", f"{RUN}/cancel"):
        headers = {"Content-Type": "application/json"}
        answer = await lonely_api.http.post(path, content=content, headers=headers)
        assert refusal(answer) == (400, "malformed-json")
        assert answer.json()["field"] == "body"
        assert why in answer.json()["detail"]


async def test_what_is_nested_deeply_is_refused_not_an_error(lonely_api: Api) -> None:
    body = b'{"decision": "approve", "arguments": {"x": ' + b"[" * 900 + b"]" * 900 + b"}}"
    headers = {"Content-Type": "application/json"}
    answer = await lonely_api.http.post(f"{RUN}/approvals/a", content=body, headers=headers)
    assert refusal(answer)[0] in {400, 422}


def every_route() -> list[tuple[str, str]]:
    """Method and path of each route in the OpenAPI document, and of those that are not in it."""
    app = bare_app()
    paths = get_openapi(title="", version="", routes=app.routes)["paths"]
    listed = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    unlisted = ["/metrics", "/docs", "/docs/start.js", "/docs/swagger-ui.css", "/openapi.json"]
    return [*listed, *(("GET", path) for path in unlisted)]


@pytest.mark.parametrize(("method", "path"), every_route())
async def test_an_unknown_query_parameter_is_refused_on_every_route(
    lonely_api: Api, method: str, path: str
) -> None:
    ids = ("command", "approval", "batch", "schedule", "webhook", "delivery", "key", "file")
    path = path.format(run_id=run_id(), tenant="a", **{f"{name}_id": "a" for name in ids})
    body = GOOD if path == "/v1/runs" else {"decision": "deny", "request_id": "x", "text": "x"}
    sent_body = body if method in {"POST", "PATCH"} else None
    tenant = "Tenant=x" if path == "/v1/audit" else "tenant=x"
    for query in (tenant, "Limit=1", "x", "=x"):
        answer = await lonely_api.http.request(method, f"{path}?{query}", json=sent_body)
        assert refusal(answer) == (422, "invalid-field"), (answer.url, answer.text)
        assert answer.json()["field"] == query.partition("=")[0]


async def test_the_refusal_lists_what_the_route_takes(lonely_api: Api) -> None:
    told = (await lonely_api.http.get("/v1/runs?tenant=x")).json()
    assert {"agent", "cursor", "limit", "metadata.KEY", "status"} < {*told["known"]}
    listed = ", ".join(told["known"])
    assert told["detail"] == f"tenant: no such query parameter; there are {listed}"


async def test_a_parameter_given_twice_is_refused_rather_than_half_heard(lonely_api: Api) -> None:
    answer = await lonely_api.http.get("/v1/runs?agent=a&agent=b")
    assert refusal(answer) == (422, "invalid-field")
    assert answer.json()["field"] == "agent"
