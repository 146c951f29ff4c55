"""The OpenAPI document: it is committed, and events have a type each."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from relayline.api.openapi import COMMITTED, document
from relayline.api.streams.frames import LOST, UNAVAILABLE, notice
from relayline.contracts.envelope import EventPage
from relayline.contracts.events import EventBody
from relayline.contracts.events.servers import HIDDEN
from relayline.contracts.frozen import Frozen
from tests.api.asking import asks
from tests.api.serving import SSE, Api, completed, deltas, frames, run_id, said, started

DOCUMENT = json.loads(document())
COMPONENTS = DOCUMENT["components"]["schemas"]
BODIES: tuple[type[Frozen], ...] = get_args(get_args(EventBody)[0])
_RESOURCE = Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
PATHS = {
    "/v1/runs",
    "/v1/runs/counts",
    "/v1/schedules",
    "/v1/schedules/{schedule_id}",
    "/v1/schedules/{schedule_id}/trigger",
    "/v1/batches",
    "/v1/batches/{batch_id}",
    "/v1/batches/{batch_id}/cancel",
    "/v1/files",
    "/v1/files/limits",
    "/v1/files/{file_id}",
    "/v1/inbox",
    "/v1/live",
    "/v1/runs/{run_id}",
    "/v1/runs/{run_id}/events",
    "/v1/runs/{run_id}/fork",
    "/v1/runs/{run_id}/progress",
    "/v1/runs/{run_id}/pause",
    "/v1/runs/{run_id}/resume",
    "/v1/runs/{run_id}/redirect",
    "/v1/runs/{run_id}/cancel",
    "/v1/runs/{run_id}/messages",
    "/v1/runs/{run_id}/close",
    "/v1/runs/{run_id}/answer",
    "/v1/runs/{run_id}/approvals/{approval_id}",
    "/v1/runs/{run_id}/commands/{command_id}",
    "/v1/webhooks",
    "/v1/webhooks/{webhook_id}",
    "/v1/webhooks/{webhook_id}/rotate",
    "/v1/webhooks/{webhook_id}/test",
    "/v1/webhooks/{webhook_id}/enable",
    "/v1/webhooks/{webhook_id}/deliveries",
    "/v1/deliveries/{delivery_id}/redeliver",
    "/v1/keys",
    "/v1/keys/{key_id}",
    "/v1/keys/{key_id}/rotate",
    "/v1/audit",
    "/v1/auth",
    "/v1/tenants/{tenant}/quotas",
    "/v1/tokens/stream",
    "/v1/agents",
    "/healthz",
    "/readyz",
    "/v1/system",
}


def check(name: str, value: Any) -> None:
    """Hold a value against a component of the document.

    Raises:
        ValidationError: it does not fit.
    """
    schema = {"$ref": f"openapi#/components/schemas/{name}"}
    registry: Registry[Any] = Registry().with_resource("openapi", _RESOURCE)
    Draft202012Validator(schema, registry=registry).validate(value)


def described(kind: str, union: str = "Event") -> dict[str, Any]:
    """The event of that type."""
    ref = COMPONENTS[union]["discriminator"]["mapping"][kind]
    assert {"$ref": ref} in COMPONENTS[union]["oneOf"]
    found: dict[str, Any] = COMPONENTS[ref.rpartition("/")[2]]
    return found


def test_the_committed_document_is_the_current_one() -> None:
    assert COMMITTED.read_text() == document(), "run `python -m relayline.api.openapi`"
    assert set(DOCUMENT["paths"]) == PATHS


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_every_type_of_event_is_described_by_its_model(body: type[Frozen]) -> None:
    kind = body.model_fields["type"].default
    event = described(kind)
    assert event["properties"]["type"]["const"] == kind
    assert {"seq", "run_id", "at", "type", "data"} == set(event["required"])
    data = COMPONENTS[event["properties"]["data"]["$ref"].rpartition("/")[2]]
    names = {
        field.serialization_alias or field.alias or name: field.is_required()
        for name, field in body.model_fields.items()
        if name not in {"type", *HIDDEN.get(kind, ())}
    }
    assert set(data["properties"]) == set(names)
    assert set(data.get("required", ())) == {name for name, required in names.items() if required}


def test_the_union_has_the_types_of_the_contracts_and_no_other() -> None:
    kinds = {body.model_fields["type"].default for body in BODIES}
    assert len(BODIES) > 30
    assert set(COMPONENTS["Event"]["discriminator"]["mapping"]) == kinds
    streamed = COMPONENTS["StreamedEvent"]["discriminator"]["mapping"]
    assert set(streamed) == kinds | {UNAVAILABLE, LOST}
    assert "ignore those that you do not know" in COMPONENTS["Event"]["description"]
    assert "Envelope" not in COMPONENTS


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    refs = {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}
    problem = "#/components/responses/Problem"
    assert problem.rpartition("/")[2] in DOCUMENT["components"]["responses"]
    assert {it.removeprefix("#/components/schemas/") for it in refs - {problem}} <= set(COMPONENTS)


def test_every_operation_names_each_status_of_its_errors() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            codes = {*operation["responses"]}
            assert {"400", "401", "403", "422", "429", "500", "503"} <= codes, (method, path)
            assert not {"4XX", "5XX", "default"} & codes
            assert ("404" in codes) >= ("{" in path)


async def test_a_page_and_a_stream_are_as_described(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started(), said("hello"), *deltas(2), *asks(), completed()])
    page = (await api.http.get(f"/v1/runs/{run}/events")).json()
    assert len(page["events"]) == 7
    check("EventPage", page)
    assert set(COMPONENTS["EventPage"]["properties"]) == set(EventPage.model_fields)
    async with api.http.stream("GET", f"/v1/runs/{run}/events", headers=SSE) as answer:
        streamed = [json.loads(data) async for _, _, data in frames(answer)]
    for event in streamed:
        check("StreamedEvent", event)
    assert streamed == page["events"]


@pytest.mark.parametrize("kind", [UNAVAILABLE, LOST])
def test_a_notice_is_as_described(kind: str) -> None:
    data = notice("run_1", kind, "no worker answers").decode().partition("data: ")[2]
    check("StreamedEvent", json.loads(data))
    assert "seq" not in described(kind, "StreamedEvent")["properties"]


def test_data_that_is_not_of_its_type_does_not_fit() -> None:
    event = {"seq": 1, "run_id": "run_1", "at": "2026-03-01T12:00:00Z", "type": "message.user"}
    check("Event", {**event, "data": {"text": "hello", "more": 1}})
    for data in ({}, {"text": 1}):
        with pytest.raises(ValidationError):
            check("Event", {**event, "data": data})


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("post", "/v1/runs", "StreamedEvent"),
        ("get", "/v1/runs/{run_id}/events", "StreamedEvent"),
        ("get", "/v1/runs/{run_id}/progress", "ProgressView"),
    ],
)
def test_the_frames_of_a_stream_are_described(method: str, path: str, name: str) -> None:
    answer = DOCUMENT["paths"][path][method]["responses"]["200"]
    stream = answer["content"]["text/event-stream"]["schema"]
    assert (stream["type"], stream["contentMediaType"]) == ("string", "text/event-stream")
    frame = stream["contentSchema"]["items"]["properties"]
    assert frame["data"]["contentSchema"] == {"$ref": f"#/components/schemas/{name}"}
