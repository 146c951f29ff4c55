"""Events of commands: each command has one receipt and one outcome."""

from __future__ import annotations

import operator
from typing import Literal

from pydantic import Field

from relayline.contracts.commands import CommandKind
from relayline.contracts.frozen import Frozen


class CommandAccepted(Frozen):
    """The run has received a command."""

    type: Literal["command.accepted"] = "command.accepted"
    command_id: str
    """The id that the sender chose, or that the command was given."""
    kind: CommandKind
    """`decide` approves or denies."""
    by: str = Field(default="", exclude_if=operator.not_)
    """Who sent it; left out if nobody said so."""
    on_behalf_of: str = Field(default="", exclude_if=operator.not_)
    """For whom, as the sender says, where `by` is who the credentials belong to."""
    verified: bool = Field(default=True, exclude_if=bool)
    """false: it came past the API, and nothing proves who sent it; left out if it is true."""


class CommandApplied(Frozen):
    """The command took effect."""

    type: Literal["command.applied"] = "command.applied"
    command_id: str
    """As in its `command.accepted`."""
    kind: CommandKind
    """As in its `command.accepted`."""
    applied: str
    """What it did."""
    turn: int | None = None
    """The turn that it belongs to; only in an open run."""
    by: str = Field(default="", exclude_if=operator.not_)
    """Who sent it; left out if nobody said so."""
    on_behalf_of: str = Field(default="", exclude_if=operator.not_)
    """For whom, as the sender says, where `by` is who the credentials belong to."""
    verified: bool = Field(default=True, exclude_if=bool)
    """false: it came past the API, and nothing proves who sent it; left out if it is true."""


class CommandRefused(Frozen):
    """The command took no effect."""

    type: Literal["command.refused"] = "command.refused"
    command_id: str
    """As in its `command.accepted`."""
    kind: CommandKind
    """As in its `command.accepted`."""
    reason: str
    """Why, in one line for people."""
    by: str = Field(default="", exclude_if=operator.not_)
    """Who sent it; left out if nobody said so."""
    on_behalf_of: str = Field(default="", exclude_if=operator.not_)
    """For whom, as the sender says, where `by` is who the credentials belong to."""
    verified: bool = Field(default=True, exclude_if=bool)
    """false: it came past the API, and nothing proves who sent it; left out if it is true."""
