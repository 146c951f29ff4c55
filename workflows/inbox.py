"""The inbox of commands: in order of arrival, each id once. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from itertools import chain

from relayline.contracts.commands import (
    AnyCommand,
    Cancel,
    IfBusy,
    Pause,
    Redirect,
    Resume,
    SendMessage,
    complaint,
)

MAX_SEEN = 2000
"""Ids of commands that a run keeps when it continues as new."""


class Stop(IntEnum):
    """How much of the running work must stop."""

    NOTHING = 0
    PAUSE = 1
    """The model and safe tools; calls that wait for a person keep waiting."""
    REDIRECT = 2
    """The model and safe tools; calls that have not started never start."""
    CANCEL = 3
    """Everything."""


class Inbox:
    """Commands that have arrived; the loop acts on them.

    A command is first unread (not acknowledged), then pending (acknowledged, not acted on), then
    removed.
    """

    def __init__(self, *, takes_messages: bool = False) -> None:
        self.takes_messages = takes_messages
        """True for an open run until it is closed; otherwise messages have no effect."""
        self._seen: dict[str, None] = {}
        self._unread: deque[AnyCommand] = deque()
        self._pending: deque[AnyCommand] = deque()
        self._invalid: set[str] = set()
        """Ids of commands to refuse; checked only once, because commands may be large."""

    def put(self, command: AnyCommand) -> bool:
        """Add a command; returns False, without a change, if its id was seen before."""
        if command.command_id in self._seen:
            return False
        self._seen[command.command_id] = None
        useless = isinstance(command, SendMessage) and not self.takes_messages
        if useless or complaint(command):
            self._invalid.add(command.command_id)
        self._unread.append(command)
        return True

    def read(self) -> AnyCommand | None:
        """Remove and return the oldest unread command, None if there is none."""
        return self._unread.popleft() if self._unread else None

    def keep(self, command: AnyCommand) -> None:
        """Add a command that was read to the pending ones."""
        self._pending.append(command)

    def take(self, *, in_step: bool = False) -> AnyCommand | None:
        """Remove and return the oldest pending command, None if there is none.

        Args:
            in_step: Skip redirects that wait for the end of the step.
        """
        for command in self._pending:
            if not (in_step and isinstance(command, Redirect) and not command.now):
                self._pending.remove(command)
                return command
        return None

    @property
    def switches(self) -> list[Pause | Resume]:
        """The pending pauses and resumes, oldest first."""
        return [it for it in self._pending if isinstance(it, Pause | Resume)]

    @property
    def empty(self) -> bool:
        """True when no command waits, unread or pending."""
        return not self._unread and not self._pending

    @property
    def seen(self) -> tuple[str, ...]:
        """Ids of the newest `MAX_SEEN` commands, newest last."""
        return tuple(self._seen)[-MAX_SEEN:]

    def remember(self, seen: Iterable[str]) -> None:
        """Treat commands with these ids as already seen."""
        self._seen.update(dict.fromkeys(seen))

    @property
    def unread(self) -> bool:
        """True while a command is unread."""
        return bool(self._unread)

    @property
    def redirects(self) -> bool:
        """True while a redirect waits."""
        return any(isinstance(it, Redirect) or _redirects(it) for it in self._waiting())

    @property
    def stop(self) -> Stop:
        """How much of the running work must stop for the waiting commands."""
        return max(map(_stop, self._waiting()), default=Stop.NOTHING)

    @property
    def stopped_by(self) -> AnyCommand | None:
        """The first of the commands that stop the most, None if no command waits."""
        return max(self._waiting(), key=_stop, default=None)

    def pauses(self, *, paused: bool) -> bool:
        """Whether the run is paused after the waiting pauses and resumes."""
        for command in self._waiting():
            if isinstance(command, Pause | Resume):
                paused = isinstance(command, Pause)
        return paused

    def _waiting(self) -> list[AnyCommand]:
        """All waiting commands, oldest first, without invalid ones."""
        return [
            it for it in chain(self._pending, self._unread) if it.command_id not in self._invalid
        ]


def _redirects(command: AnyCommand) -> bool:
    """True for a message that must not wait for the end of the turn."""
    return isinstance(command, SendMessage) and command.if_busy == IfBusy.REDIRECT


def _stop(command: AnyCommand) -> Stop:
    match command:
        case Cancel():
            return Stop.CANCEL
        case Redirect(now=True) | SendMessage(if_busy=IfBusy.REDIRECT):
            return Stop.REDIRECT
        case Pause(now=True):
            return Stop.PAUSE
        case _:
            return Stop.NOTHING
