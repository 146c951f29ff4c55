"""Signal payloads: what a person or a program tells a run to do."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from contracts.frozen import Frozen


class CommandKind(StrEnum):
    """The name of the signal, too."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


class Command(Frozen):
    """What every command carries."""

    command_id: str = Field(default="", max_length=128)
    """The receipt's id; the same id twice is one command. Empty: the run makes one up."""
    by: str = Field(default="", max_length=200)
    """Who sent it, as far as the sender said."""


class Pause(Command):
    """Stop before the next model or tool call."""


class Resume(Command):
    """Go on after a pause."""


class Cancel(Command):
    """End the run as `cancelled`."""

    reason: str = Field(default="", max_length=1000)
