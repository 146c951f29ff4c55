"""The events of steering: commands and their outcomes, approvals, questions, waits."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.commands import CommandKind
from relayline.contracts.frozen import Frozen
from relayline.contracts.runs import Waiting


class RunPaused(Frozen):
    """Nothing runs until `resume`."""

    type: Literal["run.paused"] = "run.paused"
    by: str | None = None


class RunResumed(Frozen):
    """The run goes on."""

    type: Literal["run.resumed"] = "run.resumed"
    by: str | None = None


class RunWaiting(Frozen):
    """The run waits for a person; each thing it waits for has an event of its own, too."""

    type: Literal["run.waiting"] = "run.waiting"
    waiting_for: tuple[Waiting, ...] = ()


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


class CommandAccepted(Frozen):
    """The run has taken note of a command."""

    type: Literal["command.accepted"] = "command.accepted"
    command_id: str
    kind: CommandKind


class CommandApplied(Frozen):
    """The command took effect."""

    type: Literal["command.applied"] = "command.applied"
    command_id: str
    kind: CommandKind
    applied: str
    """What it did."""


class CommandRefused(Frozen):
    """The command took no effect."""

    type: Literal["command.refused"] = "command.refused"
    command_id: str
    kind: CommandKind
    reason: str


class BudgetExceeded(Frozen):
    """A limit of the run was reached."""

    type: Literal["budget.exceeded"] = "budget.exceeded"
    limit: str
    """The field of `Limits`."""
    used: float
    allowed: float
