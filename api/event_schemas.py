"""Events in the OpenAPI document: a union by `type`, generated from the models of their bodies."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from relayline.api.streams.frames import LOST, UNAVAILABLE
from relayline.contracts.events import EventBody
from relayline.contracts.events.servers import HIDDEN

Schema = dict[str, Any]
_REF = "#/components/schemas/{model}"
_NEW_TYPES = (
    "Discriminated by `type`. Later versions may add types, and fields of `data`: ignore those "
    "that you do not know. Optional fields without a value are left out."
)


def reference(name: str) -> Schema:
    """A reference to a component of the document."""
    return {"$ref": _REF.format(model=name)}


def stream_of(name: str) -> Schema:
    """The content of an answer that streams this component, one Server-Sent Event each."""
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": reference(name),
    }
    text = {"type": "string"}
    frame = {
        "type": "object",
        "properties": {"id": text, "event": text, "data": data},
        "required": ["event", "data"],
    }
    stream = {
        "type": "string",
        "description": "Server-Sent Events; an `id`, where there is one, is a cursor.",
        "contentMediaType": "text/event-stream",
        "contentSchema": {"type": "array", "items": frame},
    }
    return {"text/event-stream": {"schema": stream}}


def live_stream() -> Schema:
    """The content of `GET /v1/live`: frames of several types, of which one has an id."""
    types = ["runs", "counts", "inbox", "system", "run.event"]
    data = {"type": "string", "contentMediaType": "application/json"}
    frame = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "event": {"type": "string", "enum": types},
            "data": data,
        },
        "required": ["event", "data"],
    }
    stream = {
        "type": "string",
        "description": "Server-Sent Events; an `id` joins the cursors of all runs of the page.",
        "contentMediaType": "text/event-stream",
        "contentSchema": {"type": "array", "items": frame},
    }
    return {"text/event-stream": {"schema": stream}}


def describe_events(document: Schema) -> None:
    """Replace the envelope with free `data` by the typed events."""
    components = document["components"]["schemas"]
    envelope = components.pop("Envelope")
    events, others = _events(envelope)
    notices = _notices(envelope)
    for name, schema in (others | events | notices).items():
        assert components.setdefault(name, schema) == schema, name  # noqa: S101  one name, one thing
    components["Event"] = _union(events, "An event of a run's journal.")
    streamed = "An event of the journal, or a notice, which is not in the journal and has no `seq`."
    components["StreamedEvent"] = _union(events | notices, streamed)
    components["EventPage"]["properties"]["events"]["items"] = reference("Event")
    document["components"]["schemas"] = dict(sorted(components.items()))


def _events(envelope: Schema) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """One envelope per type of event, and the components that these refer to."""
    union = TypeAdapter(EventBody).json_schema(ref_template=_REF)
    components: dict[str, Schema] = {
        name: _without_null_defaults(schema) for name, schema in union["$defs"].items()
    }
    events: dict[str, Schema] = {}
    for kind, ref in union["discriminator"]["mapping"].items():
        name = _name(kind)
        body = components.pop(ref.rpartition("/")[2])
        for left_out in ("type", *HIDDEN.get(kind, ())):
            del body["properties"][left_out]
        components[f"{name}Data"] = {**body, "title": f"{name}Data"}
        described = {"title": f"{name}Event", "description": body["description"]}
        events[f"{name}Event"] = _typed(envelope, kind, reference(f"{name}Data")) | described
    return events, components


def _notices(envelope: Schema) -> dict[str, Schema]:
    """The events of a stream that are not in the journal."""
    said = {
        UNAVAILABLE: "No worker, or no Temporal, answers: the run waits.",
        LOST: "Events of this stream were lost: drop what you have and read again from the start.",
    }
    reason = {
        "type": "object",
        "properties": {"reason": {"type": "string"}},
        "required": ["reason"],
    }
    notices: dict[str, Schema] = {}
    for kind, description in said.items():
        name = f"{_name(kind)}Event"
        notice = _typed(envelope, kind, reason)
        for absent in ("seq", "step", "attempt"):
            del notice["properties"][absent]
        notice["required"] = [field for field in notice["required"] if field != "seq"]
        notices[name] = notice | {"title": name, "description": description}
    return notices


def _typed(envelope: Schema, kind: str, data: Schema) -> Schema:
    """The envelope of one type of event."""
    const = {"type": "string", "const": kind, "title": "Type"}
    return {**envelope, "properties": {**envelope["properties"], "type": const, "data": data}}


def _union(events: dict[str, Schema], description: str) -> Schema:
    mapping = {
        schema["properties"]["type"]["const"]: reference(name)["$ref"]
        for name, schema in events.items()
    }
    return {
        "description": f"{description} {_NEW_TYPES}",
        "oneOf": [reference(name) for name in events],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }


def _name(kind: str) -> str:
    """`RunTimedOut` for `run.timed_out`."""
    return "".join(word.capitalize() for word in kind.replace("_", ".").split("."))


def _without_null_defaults(schema: Schema) -> Schema:
    """FastAPI leaves these out of its own components."""
    if "properties" in schema:
        for field in schema["properties"].values():
            if field.get("default", ...) is None:
                del field["default"]
    return schema
