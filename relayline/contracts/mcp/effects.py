"""What a call of an MCP server's tool may do, and who must approve it. Pure.

Hints that restrict are always believed; hints that relax only of a server that the user trusts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from relayline.contracts.runs import ApprovalRule

Effects = Literal["safe", "unsafe"]
Approval = Literal["never", "always"] | ApprovalRule


@dataclass(frozen=True)
class Override:
    """What the user says of one tool of a server; it wins over hints and trust."""

    effects: Effects | None = None
    """`safe`: it may run again; None: as hints and trust say."""
    approval: Approval | None = None
    """None: as hints and trust say."""
    timeout_s: float | None = None
    """The limit of one attempt, in seconds; None: the server's."""
    retries: int | None = None
    """How many more attempts follow a failure; None: 2."""


@dataclass(frozen=True)
class Hints:
    """A tool's annotations; those that a server does not give have the worst value."""

    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False
    open_world: bool = True


def effects_of(hints: Hints, *, trusted: bool, override: Override | None = None) -> Effects:
    """`safe` if a call may run twice: it changes nothing, or the second run changes nothing."""
    if override and override.effects:
        return override.effects
    return "safe" if trusted and (hints.read_only or hints.idempotent) else "unsafe"


def approval_of(hints: Hints, *, trusted: bool, override: Override | None = None) -> Approval:
    """Who must approve a call: of an untrusted server everything, of others what destroys."""
    if override and override.approval is not None:
        return override.approval
    if not trusted:
        return "always"
    return "always" if hints.destructive and not hints.read_only else "never"
