"""Request bodies of the HTTP API."""

from __future__ import annotations

import json
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from relayline.contracts.commands import MAX_BY_CHARS, MAX_ID_CHARS, MAX_TEXT_BYTES
from relayline.contracts.runs import Limits

_Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]


_Value = Annotated[str, StringConstraints(max_length=512)]


_Model = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]


_CommandId = Annotated[str, StringConstraints(pattern=rf"^[A-Za-z0-9_.:-]{{1,{MAX_ID_CHARS}}}$")]


def _bounded_text(text: str) -> str:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise PydanticCustomError("too_long", "at most {limit} bytes", {"limit": MAX_TEXT_BYTES})
    return text


def _bounded_json(given: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The value unchanged; a ValueError for what JSON can't express, such as NaN."""
    _bounded_text(json.dumps(given, ensure_ascii=False, allow_nan=False))
    return given


_Text = Annotated[str, AfterValidator(_bounded_text)]


_Arguments = Annotated[dict[str, JsonValue], AfterValidator(_bounded_json)]


def lone_surrogate(given: object) -> str | None:
    """The path (`metadata.tenant`) of a text or name that holds half a surrogate pair.

    JSON can write one (`\\ud83d`), no encoding can: neither Temporal nor a journal takes it. None
    if there is none; "" if the value itself is one.
    """
    found: list[tuple[_Place | None, object]] = [(None, given)]
    while found:  # not recursive: a body may be nested as deeply as JSON's reader allows
        place, value = found.pop()
        if isinstance(value, str):
            if not _encodable(value):
                return _path(place)
        elif isinstance(value, dict):
            for name, item in value.items():
                if not _encodable(name):
                    return _path(_Place(place, name))
                found.append((_Place(place, name), item))
        elif isinstance(value, list):
            found += [(_Place(place, str(index)), item) for index, item in enumerate(value)]
    return None


class _Place(NamedTuple):
    """Where a value stands; made into a path only for the one that is refused."""

    above: _Place | None
    name: str


def _path(place: _Place | None) -> str:
    names: list[str] = []
    while place is not None:
        names.append(place.name.encode(errors="backslashreplace").decode())
        place = place.above
    return ".".join(reversed(names))


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Request(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_lone_surrogates(cls, given: object) -> object:
        """One validator for every text of every request."""
        if (field := lone_surrogate(given)) is not None:
            raise PydanticCustomError(
                "lone_surrogate",
                "half a surrogate pair (\\ud800 to \\udfff) is no character",
                {"field": field[:200]},
            )
        return given


class RequestedLimits(Limits):
    """Limits of one run; the agent's apply where none is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RunRequest(_Request):
    """A run to start."""

    agent: str = Field(max_length=64)
    """The name of an agent from `GET /v1/agents`."""
    input: str = Field(min_length=1)
    """The user's message; at most `RELAYLINE_MAX_INPUT_BYTES` bytes of UTF-8."""
    model: _Model | None = None
    """Replaces the agent's model: `rehearsal`, `local` or `provider:name`; at most 200 printable
    ASCII characters."""
    limits: RequestedLimits | None = None
    metadata: dict[_Key, _Value] | None = None
    """Labels of the caller's own. `tenant` is searchable in Temporal; it has at most 255 characters
    and 680 bytes of UTF-8, and no control characters."""
    webhook: SkipJsonSchema[JsonValue] = None
    """Not supported by this version: must be null."""


class CommandRequest(_Request):
    """Fields of every command."""

    command_id: _CommandId | None = None
    """The command's id: a repeated id is the same command. Generated if absent."""
    by: str = Field(default="", max_length=MAX_BY_CHARS)
    """The sender's name, shown in the events."""


class PauseRequest(CommandRequest):
    """Fields of a pause."""

    now: bool = False
    """Also interrupt the running calls; tools with unsafe effects finish first."""


class RedirectRequest(CommandRequest):
    """Fields of a redirect."""

    message: _Text
    """The message to the model; at most 32 KiB of UTF-8."""
    now: bool = True
    """Interrupt the running calls, except tools with unsafe effects; false: let the step finish."""


class CancelRequest(CommandRequest):
    """Fields of a cancel."""

    reason: _Text = ""
    """At most 32 KiB of UTF-8."""


class DecisionRequest(CommandRequest):
    """A person's decision on an approval."""

    decision: Literal["approve", "deny"]
    arguments: _Arguments | None = None
    """Replace the model's arguments and are validated like them; only with `approve`, at most
    32 KiB."""
    note: _Text = ""
    """Shown to the model and kept in the journal; at most 32 KiB of UTF-8."""


class AnswerRequest(CommandRequest):
    """An answer to a question of the run."""

    request_id: str = Field(max_length=MAX_ID_CHARS)
    text: _Text
    """At most 32 KiB of UTF-8; must match the question's schema, if there is one."""
