"""Request bodies of the commands."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints
from pydantic_core import PydanticCustomError

from relayline.api.bodies import Body
from relayline.api.part_bodies import AS_TEXT, EITHER, AsParts, parts_in, text_in
from relayline.contracts.commands import MAX_BY_CHARS, MAX_ID_CHARS, MAX_TEXT_BYTES

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


_Content = Annotated[Annotated[_Text, AS_TEXT] | AsParts, EITHER]


_Arguments = Annotated[dict[str, JsonValue], AfterValidator(_bounded_json)]


class CommandRequest(Body):
    """Fields of every command."""

    command_id: _CommandId | None = None
    """The command's id: a repeated id is the same command. Generated if absent."""
    by: str = Field(default="", max_length=MAX_BY_CHARS)
    """The sender's name, shown in the events."""

    def fields(self) -> dict[str, Any]:
        """The fields of the command."""
        return self.model_dump()


class PauseRequest(CommandRequest):
    """Fields of a pause."""

    now: bool = False
    """Also interrupt the running calls; tools with unsafe effects finish first."""


class RedirectRequest(CommandRequest):
    """Fields of a redirect."""

    message: _Content
    """The message to the model, text or parts; its texts have at most 32 KiB of UTF-8."""
    now: bool = True
    """Interrupt the running calls, except tools with unsafe effects; false: let the step finish."""

    def fields(self) -> dict[str, Any]:
        """The fields of the command: of parts, also their text."""
        given = self.model_dump(exclude={"message"})
        return given | {"message": text_in(self.message), "parts": parts_in(self.message)}


class CancelRequest(CommandRequest):
    """Fields of a cancel."""

    reason: _Text = ""
    """At most 32 KiB of UTF-8."""
    scope: Literal["turn", "run"] = "run"
    """`turn`: a conversation is idle then; any other run ends."""


class MessageRequest(CommandRequest):
    """A message to a conversation."""

    content: _Content
    """The message, text or parts; its texts have at most 32 KiB of UTF-8."""
    if_busy: Literal["queue", "redirect", "reject"] = "queue"
    """While a turn runs: `queue` the message for a turn of its own, `redirect` the running turn, or
    `reject` it; then its outcome is `refused` with `busy`."""
    agent: Literal["catalog"] | None = None
    """`catalog`: from this turn on, the agent as it is today, with its own model and limits; not
    with `redirect`. Absent: the agent that the run has."""

    def fields(self) -> dict[str, Any]:
        """The fields of the command: of parts, also their text."""
        given = self.model_dump(exclude={"content"})
        return given | {"content": text_in(self.content), "parts": parts_in(self.content)}


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
