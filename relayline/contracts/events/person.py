"""Events of people: what they say, and what they are asked to decide or answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.frozen import Frozen


class UserMessageEvent(Frozen):
    """What a person said: the input or a redirect."""

    type: Literal["message.user"] = "message.user"
    text: str


class ApprovalRequested(Frozen):
    """A person has to decide; what follows depends on it."""

    type: Literal["approval.requested"] = "approval.requested"
    approval_id: str
    call_id: str
    """The tool call; of a budget, the approval's own id."""
    tool: str
    """The tool's name; `raise_limit` of a budget."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """As the model gave them; of a budget `{limit, used, allowed, raise_to}`."""
    arguments_sha256: str = ""
    """Of the arguments as JSON with sorted keys and no spaces, UTF-8; hexadecimal."""
    expires_at: datetime | None = None
    """Undecided by then means denied."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """JSON Schema that edited arguments have to fit."""


class ApprovalResolved(Frozen):
    """An approval is open no more."""

    type: Literal["approval.resolved"] = "approval.resolved"
    approval_id: str
    decision: Literal["approve", "deny", "expired", "withdrawn"]
    """`expired`: nobody decided in time; `withdrawn`: another command made it pointless."""
    by: str = ""
    at: datetime
    arguments: dict[str, JsonValue] | None = None
    """Those that a person put in place of the model's."""
    note: str | None = None


class InputRequested(Frozen):
    """A person has to answer."""

    type: Literal["input.requested"] = "input.requested"
    request_id: str
    question: str = ""
    data_schema: dict[str, JsonValue] | None = Field(default=None, alias="schema")
    """JSON Schema of the answer's text, null for any text."""
    expires_at: datetime | None = None
    call_id: str = ""
    """The tool call that the question is about."""
    tool: str = ""


class InputReceived(Frozen):
    """A person has answered."""

    type: Literal["input.received"] = "input.received"
    request_id: str
    text: str
    by: str = ""


class InputClosed(Frozen):
    """A question is open no more, and nobody has answered it."""

    type: Literal["input.closed"] = "input.closed"
    request_id: str
    reason: Literal["expired", "withdrawn"]
    by: str = ""
    """Whose command made it pointless."""
    at: datetime
