"""What is known of commands that were sent: by this process, and in the journal."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import NamedTuple

from relayline.contracts.commands import AnyCommand, CommandKind
from relayline.contracts.events import CommandAccepted, CommandApplied, CommandRefused
from relayline.contracts.keys import accepted_key, outcome_key
from relayline.journal.port import Journal

MAX_SENT = 10_000


class Taken(NamedTuple):
    """A command that was sent before."""

    kind: CommandKind
    digest: str
    """Of all that it says."""


def taken(command: AnyCommand) -> Taken:
    """What there is to know of a command when it is sent again."""
    return Taken(command.kind, hashlib.sha256(command.model_dump_json().encode()).hexdigest())


class SentCommands:
    """The newest 10,000 commands sent by this process: saves asking Temporal, no more.

    Another process, or this one after a restart, knows a command once the run has taken note of it
    (`command.accepted` in the journal), which needs a worker; until then Temporal knows it.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, str], Taken] = OrderedDict()

    def add(self, run_id: str, command: AnyCommand) -> None:
        """Remember a command; the oldest is forgotten when there are too many."""
        self._sent[run_id, command.command_id] = taken(command)
        if len(self._sent) > MAX_SENT:
            self._sent.popitem(last=False)

    def get(self, run_id: str, command_id: str) -> Taken | None:
        """The command, None if this process does not remember it."""
        return self._sent.get((run_id, command_id))


async def journaled_kind(journal: Journal, run_id: str, command_id: str) -> CommandKind | None:
    """The kind of a command that the run has taken note of, None if it has not.

    Raises:
        JournalUnavailable: the journal can't be asked.
    """
    for key in (accepted_key(command_id), outcome_key(command_id)):
        fact = await journal.get(run_id, key)
        body = fact.body() if fact else None
        if isinstance(body, CommandAccepted | CommandApplied | CommandRefused):
            return body.kind
    return None
