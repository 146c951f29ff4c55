"""Bodies of the requests that the HTTP API takes."""

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
    """As it is; what JSON can't say, such as NaN, is a ValueError."""
    _bounded_text(json.dumps(given, ensure_ascii=False, allow_nan=False))
    return given


_Text = Annotated[str, AfterValidator(_bounded_text)]


_Arguments = Annotated[dict[str, JsonValue], AfterValidator(_bounded_json)]


class _Request(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class RequestedLimits(Limits):
    """Limits of one run; those not given are the agent's."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RunRequest(_Request):
    """A run to be started."""

    agent: str = Field(max_length=64)
    """One of `GET /v1/agents`."""
    input: str = Field(min_length=1)
    """What the person says; at most `RELAYLINE_MAX_INPUT_BYTES` in UTF-8."""
    model: str | None = None
    """In place of the agent's own: `rehearsal`, `local` or `provider:name`."""
    limits: RequestedLimits | None = None
    metadata: dict[_Key, _Value] | None = None
    """The caller's own labels; `tenant` is searchable in Temporal, and has at most 255 characters,
    none of which is a control character."""
    webhook: SkipJsonSchema[JsonValue] = None
    """Not offered by this version: anything but null is refused."""


class CommandRequest(_Request):
    """What goes with any command."""

    command_id: _CommandId | None = None
    """The receipt's id; the same id twice is one command. Made up if it is not given."""
    by: str = Field(default="", max_length=MAX_BY_CHARS)
    """Who sends it; shown in the events."""


class PauseRequest(CommandRequest):
    """What goes with a pause."""

    now: bool = False
    """Interrupt what runs, too; tools with unsafe effects are let finish."""


class RedirectRequest(CommandRequest):
    """What goes with a redirect."""

    message: _Text
    """What the model is told; at most 32 KiB in UTF-8."""
    now: bool = True
    """Interrupt what runs, but let tools with unsafe effects finish; false: wait for the step."""


class CancelRequest(CommandRequest):
    """What goes with a cancel."""

    reason: _Text = ""
    """At most 32 KiB in UTF-8."""


class DecisionRequest(CommandRequest):
    """What a person makes of an approval."""

    decision: Literal["approve", "deny"]
    arguments: _Arguments | None = None
    """In place of the model's, and checked like them; only with `approve`, at most 32 KiB."""
    note: _Text = ""
    """For the model and the record; at most 32 KiB in UTF-8."""


class AnswerRequest(CommandRequest):
    """An answer to a question that the run has asked."""

    request_id: str
    text: _Text
    """At most 32 KiB in UTF-8; has to fit the question's schema, if it has one."""
