"""What the API answers to a command and tells of it, for the server and the client library."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from relayline.contracts.commands import CommandKind


class CommandReceipt(BaseModel):
    """The receipt of a command."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    command_id: str


class CommandView(BaseModel):
    """The outcome of a command."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    command_id: str
    run_id: str
    kind: CommandKind | None = None
    state: Literal["accepted", "applied", "refused"]
    step: int | None = None
    """The step at which it was applied or refused."""
    reason: str | None = None
    """Why it was refused."""
    applied: str | None = None
    """What it did."""
    turn: int | None = None
    """Of a message to a conversation, the turn that it began or joined."""
