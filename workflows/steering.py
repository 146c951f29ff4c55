"""The inbox of commands: in the order they came, each id once. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from contracts.commands import Cancel, Command, CommandKind


class Received(NamedTuple):
    """A command with its kind."""

    kind: CommandKind
    command: Command


class Inbox:
    """Commands that have come in: noted at once, acted on by the loop.

    A command is first unread (nobody was told yet that it came), then pending (told, not acted
    on), then gone.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._unread: deque[Received] = deque()
        self._pending: deque[Received] = deque()

    def put(self, kind: CommandKind, command: Command) -> bool:
        """Take a command in; False if its id came before, and then nothing changes."""
        if command.command_id in self._seen:
            return False
        self._seen.add(command.command_id)
        self._unread.append(Received(kind, command))
        return True

    def read(self) -> list[Received]:
        """The commands that came since the last call; they are pending from now on."""
        fresh = list(self._unread)
        self._pending.extend(fresh)
        self._unread.clear()
        return fresh

    def take(self) -> Received | None:
        """The oldest pending command, which is then gone; None if there is none."""
        return self._pending.popleft() if self._pending else None

    @property
    def unread(self) -> bool:
        """True while a command waits to be read."""
        return bool(self._unread)

    @property
    def stops(self) -> bool:
        """True when a command wants what runs now to stop."""
        return any(isinstance(item.command, Cancel) for item in (*self._pending, *self._unread))
