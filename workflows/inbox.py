"""The inbox of commands: in the order they came, each id once. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from itertools import chain

from relayline.contracts.commands import AnyCommand, Cancel, Pause, Redirect, Resume, complaint

MAX_SEEN = 2000
"""Ids of commands that a run takes along into a new execution."""


class Stop(IntEnum):
    """How much of what runs has to stop."""

    NOTHING = 0
    PAUSE = 1
    """The model and safe tools; who waits for a person goes on waiting."""
    REDIRECT = 2
    """The model and safe tools; calls that have not begun do not begin."""
    CANCEL = 3
    """Everything."""


class Inbox:
    """Commands that have come in: noted at once, acted on by the loop.

    A command is first unread (nobody was told yet that it came), then pending (told, not acted
    on), then gone.
    """

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}
        self._unread: deque[AnyCommand] = deque()
        self._pending: deque[AnyCommand] = deque()
        self._invalid: set[str] = set()
        """Ids of those that nobody can act on: looked at once, because they may be large."""

    def put(self, command: AnyCommand) -> bool:
        """Take a command in; False if its id came before, and then nothing changes."""
        if command.command_id in self._seen:
            return False
        self._seen[command.command_id] = None
        if complaint(command):
            self._invalid.add(command.command_id)
        self._unread.append(command)
        return True

    def read(self) -> AnyCommand | None:
        """The oldest unread command, which is gone unless it is kept; None if there is none."""
        return self._unread.popleft() if self._unread else None

    def keep(self, command: AnyCommand) -> None:
        """Let a command that was read wait for the moment when the run can act on it."""
        self._pending.append(command)

    def take(self, *, in_step: bool = False) -> AnyCommand | None:
        """The oldest pending command, which is then gone; None if there is none.

        Args:
            in_step: Leave those that wait for the end of the step.
        """
        for command in self._pending:
            if not (in_step and isinstance(command, Redirect) and not command.now):
                self._pending.remove(command)
                return command
        return None

    @property
    def empty(self) -> bool:
        """True when nothing waits, read or not."""
        return not self._unread and not self._pending

    @property
    def seen(self) -> tuple[str, ...]:
        """Ids of the newest 2,000 commands that have come in, newest last."""
        return tuple(self._seen)[-MAX_SEEN:]

    def remember(self, seen: Iterable[str]) -> None:
        """Take commands with these ids for ones that have come before."""
        self._seen.update(dict.fromkeys(seen))

    @property
    def unread(self) -> bool:
        """True while a command waits to be read."""
        return bool(self._unread)

    @property
    def redirects(self) -> bool:
        """True while a redirect waits to be acted on."""
        return any(isinstance(command, Redirect) for command in self._waiting())

    @property
    def stop(self) -> Stop:
        """How much of what runs now has to stop for the commands that wait."""
        return max(map(_stop, self._waiting()), default=Stop.NOTHING)

    @property
    def stopped_by(self) -> AnyCommand | None:
        """The first command that wants as much to stop as any."""
        return max(self._waiting(), key=_stop, default=None)

    def pauses(self, *, paused: bool) -> bool:
        """Whether the run is paused once the pauses and resumes that wait are acted on."""
        for command in self._waiting():
            if isinstance(command, Pause | Resume):
                paused = isinstance(command, Pause)
        return paused

    def _waiting(self) -> list[AnyCommand]:
        """Oldest first, without those that nobody can act on."""
        return [
            it for it in chain(self._pending, self._unread) if it.command_id not in self._invalid
        ]


def _stop(command: AnyCommand) -> Stop:
    match command:
        case Cancel():
            return Stop.CANCEL
        case Redirect(now=True):
            return Stop.REDIRECT
        case Pause(now=True):
            return Stop.PAUSE
        case _:
            return Stop.NOTHING
