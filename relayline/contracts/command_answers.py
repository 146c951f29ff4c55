"""What the API answers to a command and tells of it, for the server and the client library."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from relayline.contracts.commands import CommandKind


class CommandReceipt(BaseModel):
    """The receipt of a command."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    command_id: str
    run_id: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """The run below the named one to which it was passed on, and which tells its outcome; left out
    where it was not."""


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
