"""Events of commands: each command has one receipt and one outcome."""

from __future__ import annotations

from typing import Literal

from relayline.contracts.commands import CommandKind
from relayline.contracts.frozen import Frozen


class CommandAccepted(Frozen):
    """The run has received a command."""

    type: Literal["command.accepted"] = "command.accepted"
    command_id: str
    """The id that the sender chose, or that the command was given."""
    kind: CommandKind
    """`decide` approves or denies."""


class CommandApplied(Frozen):
    """The command took effect."""

    type: Literal["command.applied"] = "command.applied"
    command_id: str
    """As in its `command.accepted`."""
    kind: CommandKind
    """As in its `command.accepted`."""
    applied: str
    """What it did."""


class CommandRefused(Frozen):
    """The command took no effect."""

    type: Literal["command.refused"] = "command.refused"
    command_id: str
    """As in its `command.accepted`."""
    kind: CommandKind
    """As in its `command.accepted`."""
    reason: str
    """Why, in one line for people."""
