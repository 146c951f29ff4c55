"""What is known of commands that were sent: by this process, and in the journal."""

from __future__ import annotations

from collections import OrderedDict

from contracts.commands import CommandKind
from contracts.steering import CommandAccepted, CommandApplied, CommandRefused
from contracts.steps import accepted_key, outcome_key
from journal.port import Journal

MAX_SENT = 10_000


class SentCommands:
    """The newest 10,000 commands sent by this process: saves asking Temporal, no more.

    Another process, or this one after a restart, knows a command once the run has taken note of it
    (`command.accepted` in the journal), which needs a worker; until then Temporal knows it.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, str], CommandKind] = OrderedDict()

    def add(self, run_id: str, command_id: str, kind: CommandKind) -> None:
        """Remember a command; the oldest is forgotten when there are too many."""
        self._sent[run_id, command_id] = kind
        if len(self._sent) > MAX_SENT:
            self._sent.popitem(last=False)

    def kind(self, run_id: str, command_id: str) -> CommandKind | None:
        """The command's kind, None if this process does not remember it."""
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
