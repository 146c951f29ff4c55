"""The table of all event types: what stands in `data`, as the contracts have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel

from relayline.api.streams.frames import LOST, UNAVAILABLE
from relayline.contracts import mcp, messages, runs
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import EventBody, servers
from relayline.contracts.events.servers import HIDDEN
from relayline.contracts.files import parts
from tests.docs.described import Field, JsonSchema, fields, meanings, one_line, row

NOTICES = {
    UNAVAILABLE: "No worker answers, or none does one kind of work. The run waits for one.",
    LOST: "A crash of the journal's database lost events that were sent before. Drop what you have "
    "and read from the start. The stream ends with this frame, whose id is empty.",
}
"""Types that are in no journal: they have neither `seq` nor id."""
NOTICE_REASON = "Why, in one line for people."


def body_types() -> tuple[type[BaseModel], ...]:
    """The model of each event type, in the order of the union."""
    types: tuple[type[BaseModel], ...] = get_args(get_args(EventBody)[0])
    return types


def type_of(body: type[BaseModel]) -> str:
    """The event's type."""
    return str(body.model_fields["type"].default)


def events() -> Iterator[str]:
    """Lines: a table of the types, one of the objects that they refer to, one of error types."""
    shapes: dict[str, JsonSchema] = {}
    named: list[str] = []
    yield from ("| event | in `data` | type | meaning |", "|---|---|---|---|")
    for body in body_types():
        schema = body.model_json_schema(by_alias=True, mode="serialization")
        shapes |= schema.get("$defs", {})
        yield row(f"**`{type_of(body)}`**", "", "", one_line(body.__doc__ or ""))
        hidden = HIDDEN.get(type_of(body), ())
        for field in (it for it in fields(body, schema, shapes) if it.name not in hidden):
            yield _row(field, "may be absent")
            named += field.refers_to
    for notice, meaning in NOTICES.items():
        yield row(f"**`{notice}`**", "", "", meaning)
        yield _row(Field("reason", "string", optional=False, meaning=NOTICE_REASON), "")
    yield from ("", "Objects in them; here a field that has no value is `null`:", "")
    yield from _shapes(shapes, list(dict.fromkeys(named)))
    yield from ("", "What `error.type` and `error_type` may say:", "")
    yield from ("| error type | meaning |", "|---|---|")
    said = meanings(ErrorType)
    yield from (row(f"`{kind.value}`", said[kind.name]) for kind in ErrorType)


def _shapes(shapes: dict[str, JsonSchema], names: list[str]) -> Iterator[str]:
    yield from ("| object | field | type | meaning |", "|---|---|---|---|")
    for name in names:  # objects that they refer to themselves come behind
        model = _model(name)
        yield row(f"**`{name}`**", "", "", one_line(model.__doc__ or ""))
        for field in fields(model, shapes[name], shapes):
            yield _row(field, "or null")
            names += [it for it in field.refers_to if it not in names]


def _row(field: Field, when_optional: str) -> str:
    kind = f"{field.type}, {when_optional}" if field.optional else field.type
    return row("", f"`{field.name}`", kind, field.meaning)


def _model(name: str) -> type[BaseModel]:
    homes = (runs, mcp, servers, messages, parts)
    found = next(it for it in (vars(home).get(name) for home in homes) if it)
    assert isinstance(found, type)
    assert issubclass(found, BaseModel)
    return found
