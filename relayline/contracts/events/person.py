"""Events that involve people: their messages, decisions and answers."""

from __future__ import annotations

import operator
from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.files.parts import Part
from relayline.contracts.frozen import Frozen


class UserMessageEvent(Frozen):
    """A message of a person: the input or a redirect."""

    type: Literal["message.user"] = "message.user"
    text: str
    """The text, as it was submitted or sent; of several parts, theirs together."""
    parts: tuple[Part, ...] = Field(default=(), exclude_if=operator.not_)
    """All that was said, in order, if it is more than a text; left out otherwise."""
    turn: int | None = None
    """The turn that it belongs to; only in an open run."""
    command_id: str | None = None
    """The command that brought it; only in an open run, and not for its input."""
    by: str = Field(default="", exclude_if=operator.not_)
    """Who sent it, if it is a redirect; left out if nobody said so."""
    on_behalf_of: str = Field(default="", exclude_if=operator.not_)
    """For whom, as the sender says, where `by` is who the credentials belong to."""
    verified: bool = Field(default=True, exclude_if=bool)
    """As in `command.accepted`; left out if it is true."""


class ApprovalRequested(Frozen):
    """The run asks a person for a decision."""

    type: Literal["approval.requested"] = "approval.requested"
    approval_id: str
    """Names the approval in `approve` and `deny`."""
    call_id: str
    """The tool call; for a budget, the approval's own id."""
    tool: str
    """The tool's name; `raise_limit` for a budget."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """As the model gave them; for a budget `{limit, used, allowed, raise_to}`."""
    arguments_sha256: str = ""
    """Of the arguments as JSON with sorted keys and no spaces, UTF-8; hexadecimal."""
    expires_at: datetime | None = None
    """If nobody has decided by then, the call is denied."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """JSON Schema for edited arguments."""
    effects: Literal["safe", "unsafe"] | None = Field(default=None, exclude_if=operator.not_)
    """Of the tool; `unsafe`: the call never runs twice. Left out for a budget."""
    why: Literal["always"] | dict[str, JsonValue] | None = Field(
        default=None, exclude_if=operator.not_
    )
    """The agent's rule for approvals: of every call, or of those whose arguments match this JSON
    Schema. Left out where the worker's own code demands the approval, and for a budget."""
    server: str = Field(default="", exclude_if=operator.not_)
    """The MCP server whose tool it is; left out for other tools."""


class ApprovalResolved(Frozen):
    """An approval is closed."""

    type: Literal["approval.resolved"] = "approval.resolved"
    approval_id: str
    """As in its `approval.requested`."""
    decision: Literal["approve", "deny", "expired", "withdrawn"]
    """`expired`: nobody decided in time; `withdrawn`: another command superseded it."""
    by: str = ""
    """Who decided: with authentication on, as the credentials say; else in the sender's own words,
    and it may be empty."""
    on_behalf_of: str = Field(default="", exclude_if=operator.not_)
    """For whom, as the sender says, where `by` is who the credentials belong to."""
    verified: bool = Field(default=True, exclude_if=bool)
    """As in `command.accepted`; left out if it is true."""
    at: datetime
    """When the run took the decision."""
    arguments: dict[str, JsonValue] | None = None
    """Arguments that a person gave instead of the model's."""
    arguments_sha256: str = Field(default="", exclude_if=operator.not_)
    """Of the arguments that were approved, as in `approval.requested`; only with `approve`."""
    key_id: str = Field(default="", exclude_if=operator.not_)
    """The API key of who decided, where one was used."""
    note: str | None = None
    """The sender's remark; the model reads it, too."""


class InputRequested(Frozen):
    """The run asks a person a question."""

    type: Literal["input.requested"] = "input.requested"
    request_id: str
    """Names the question in `answer`."""
    question: str = ""
    """What the person must answer."""
    data_schema: dict[str, JsonValue] | None = Field(default=None, alias="schema")
    """JSON Schema of the answer's text; null: any text. MCP servers ask for an object: the text is
    that object as JSON, or its only value, or `decline` or `cancel`."""
    expires_at: datetime | None = None
    """If nobody has answered by then, the call fails with `no-answer`."""
    call_id: str = ""
    """The tool call that the question is about."""
    tool: str = ""
    """The name of that tool."""
    server: str = Field(default="", exclude_if=operator.not_)
    """The MCP server whose tool it is; left out for other tools."""


class InputReceived(Frozen):
    """A person has answered."""

    type: Literal["input.received"] = "input.received"
    request_id: str
    """As in its `input.requested`."""
    text: str
    """The answer."""
    by: str = ""
    """Who answered, as in `approval.resolved`."""
    on_behalf_of: str = Field(default="", exclude_if=operator.not_)
    """For whom, as the sender says, where `by` is who the credentials belong to."""
    verified: bool = Field(default=True, exclude_if=bool)
    """As in `command.accepted`; left out if it is true."""


class InputClosed(Frozen):
    """A question is closed without an answer."""

    type: Literal["input.closed"] = "input.closed"
    request_id: str
    """As in its `input.requested`."""
    reason: Literal["expired", "withdrawn"]
    """`expired`: nobody answered in time; `withdrawn`: another command superseded it."""
    by: str = ""
    """Who sent the command that superseded it; may be empty."""
    at: datetime
    """When it was closed."""
