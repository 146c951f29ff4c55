"""Request bodies of the HTTP API."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from relayline.contracts.commands import MAX_BY_CHARS, MAX_ID_CHARS, MAX_TEXT_BYTES
from relayline.contracts.runs import Limits

_Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]


_Value = Annotated[str, StringConstraints(max_length=512)]


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


class _Request(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class RequestedLimits(Limits):
    """Limits of one run; the agent's apply where none is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RunRequest(_Request):
    """A run to start."""

    agent: str = Field(max_length=64)
    """The name of an agent from `GET /v1/agents`."""
    input: str = Field(min_length=1)
    """The user's message; at most `RELAYLINE_MAX_INPUT_BYTES` bytes of UTF-8."""
    model: str | None = None
    """Replaces the agent's model: `rehearsal`, `local` or `provider:name`."""
    limits: RequestedLimits | None = None
    metadata: dict[_Key, _Value] | None = None
    """Labels of the caller's own. `tenant` is searchable in Temporal; it has at most 255 characters
    and no control characters."""
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

    request_id: str
    text: _Text
    """At most 32 KiB of UTF-8; must match the question's schema, if there is one."""
